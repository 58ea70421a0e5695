// Senders' texts, made safe to look at. Characters that change the writing direction can turn a name or a file's extension
// around (U+202E makes "gnp.exe" of "exe.png"), so they are shown as their code; see the Unicode report #36, §2.10.5.

/** For one line: each control or direction character is shown as its code. */
export const visible = (text: string): string =>
  text.replace(/(?![\t\n\r])[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu, code);

/** For many lines: characters that only mark or isolate a word's direction stay, since Arabic and Hebrew need them. */
export const visibleText = (text: string): string =>
  text.replace(/(?![\t\n\r])[\p{Cc}\u202a-\u202e\u2066\u2067]/gu, code);

function code(char: string): string {
  return `[U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`;
}
