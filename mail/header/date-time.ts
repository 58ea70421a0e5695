// Dates as mail headers write them (RFC 5322 §3.3), always in UTC.

/** Writes a time (milliseconds since 1970) as a header's date-time: `Sat, 21 Nov 2026 03:18:08 +0000`. */
export function formatDateTime(ms: number): string {
  return `${new Date(ms).toUTCString().slice(0, -'GMT'.length)}+0000`; // ECMA-262 fixes the form of toUTCString
}
