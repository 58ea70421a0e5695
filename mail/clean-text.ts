// Text of strangers (records, comments, names) on its way into our sentences and fields: one line, printable, short.

/** The text on one line without control or format characters, cut after `maxLength` characters. */
export function cleanText(text: string, maxLength = 300): string {
  const line = text
    .slice(0, 4 * maxLength)
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .trim();
  return line.length > maxLength ? `${line.slice(0, maxLength)}…` : line;
}
