// SPDX-License-Identifier: GPL-2.0-or-later
/* quota: what answers say, and what is none. */
#include "netkit.h"

#include "cloud/quota.h"

static uint64_t told(const char *value)
{
	char xml[512];
	int n = snprintf(xml, sizeof(xml),
			 "<?xml version=\"1.0\"?>\n<m:multistatus xmlns:m=\"DAV:\"><m:response>"
			 "<m:href>/</m:href><m:propstat><m:prop><m:quota-available-bytes>%s"
			 "</m:quota-available-bytes></m:prop><m:status>HTTP/1.1 200 OK</m:status>"
			 "</m:propstat></m:response></m:multistatus>",
			 value);

	return quota_available(xml, (size_t)n);
}

static void values(void **state)
{
	(void)state;
	assert_int_equal(told("596650"), 596650);
	assert_int_equal(told("\n 0 "), 0);
	assert_int_equal(told("18446744073709551614"), UINT64_MAX - 1);
	assert_int_equal(told(""), QUOTA_UNKNOWN);
	assert_int_equal(told("-1"), QUOTA_UNKNOWN);
	assert_int_equal(told("99999999999999999999"), QUOTA_UNKNOWN);
	assert_int_equal(told("1111111111111111111111111111111111111"), QUOTA_UNKNOWN);
	assert_int_equal(told("<m:x>5</m:x>"), QUOTA_UNKNOWN);
}

static void no_answers(void **state)
{
	static const char *const texts[] = {
		"",
		"<html>",
		"<quota-available-bytes>5</quota-available-bytes>",
		"<!DOCTYPE x [<!ENTITY a \"5\">]><quota-available-bytes xmlns=\"DAV:\">&a;"
		"</quota-available-bytes>",
		"<quota-available-bytes xmlns=\"DAV:\">5</quota-available-bytes><",
	};
	char deep[3 * 70 + 1] = "";
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(quota_available(texts[i], strlen(texts[i])), QUOTA_UNKNOWN);
	for (i = 0; i < 70; i++)
		strcat(deep, "<a>");
	assert_int_equal(quota_available(deep, strlen(deep)), QUOTA_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(no_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
