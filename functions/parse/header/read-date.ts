// The Date field (RFC 5322 §3.3, obsolete forms of §4.3). The same text gives the same time on every machine:
// no local time zone, no clock.

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const zones: Readonly<Record<string, number>> = {
  ut: 0,
  gmt: 0,
  utc: 0,
  z: 0,
  est: -300,
  edt: -240,
  cst: -360,
  cdt: -300,
  mst: -420,
  mdt: -360,
  pst: -480,
  pdt: -420,
};
const pattern =
  /^(?:[a-z]{3,9}\s*,?\s*)?(\d{1,2})[\s-]+([a-z]{3})[a-z]*[\s-]+(\d{2,4})\s+(\d{1,2})\s*:\s*(\d{2})(?:\s*:\s*(\d{2}))?(?:\s*(?:GMT|UTC?)?([+-])(\d{2}):?([0-5]\d)|\s*([a-z]{1,5}))?/i;

/** The time as ISO 8601 in UTC with milliseconds, or null where the text is no date. No zone counts as UTC. */
export function readDate(text: string): string | null {
  const match = pattern.exec(withoutComments(text).slice(0, 200).trim());
  if (match === null) return null;
  const [, day, monthName = '', year = '', hour, minute, second = '0', sign, zoneHours, zoneMinutes, zoneName = ''] =
    match;
  const month = months.indexOf(monthName.toLowerCase());
  if (month < 0) return null;
  const offset =
    sign === undefined
      ? (zones[zoneName.toLowerCase()] ?? 0)
      : (sign === '-' ? -1 : 1) * (Number(zoneHours) * 60 + Number(zoneMinutes));
  const isDay = new Date(Date.UTC(fullYear(year), month, Number(day))).getUTCDate() === Number(day);
  if (!isDay || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60 || fullYear(year) < 1900) return null;
  const time = Date.UTC(
    fullYear(year),
    month,
    Number(day),
    Number(hour),
    Number(minute) - offset,
    Math.min(Number(second), 59),
  );
  const iso = new Date(time).toISOString();
  return /^\d{4}-/.test(iso) ? iso : null;
}

/** RFC 5322 §4.3: two digits below 50 are 20xx, other two or three digits count from 1900. */
function fullYear(year: string): number {
  const value = Number(year);
  if (year.length === 4) return value;
  return year.length === 2 && value < 50 ? 2000 + value : 1900 + value;
}

function withoutComments(text: string): string {
  return text.replace(/\([^()]*\)/g, ' ');
}
