// What a submitted message is given where it lacks it: a date and an id (RFC 6409 §8.1, §8.2).
import { formatDateTime } from './date-time.ts';
import { type HeaderField, hasField } from './header-fields.ts';

/** The text of the missing `Date:` and `Message-ID:` fields, CRLF at the end of each; empty where both are there. */
export function missingFields(
  fields: readonly HeaderField[],
  { nowMs, id, hostname }: { readonly nowMs: number; readonly id: string; readonly hostname: string },
): string {
  const date = hasField(fields, 'date') ? '' : `Date: ${formatDateTime(nowMs)}\r\n`;
  const messageId = hasField(fields, 'message-id') ? '' : `Message-ID: <${id}@${hostname}>\r\n`;
  return `${date}${messageId}`;
}
