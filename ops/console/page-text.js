// What strangers wrote, as people are to see it. Characters that steer the writing direction can turn a name or a file's ending
// around (U+202E makes "gnp.exe" of "exe.png"), so they are shown as what they are; see the Unicode report #36, §2.10.5.

const code = (char) => `[U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`;

/** One line of it: no control or direction character acts, each is seen. */
export const visible = (text) =>
  text.replace(/(?![\t\n\r])[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu, code);

/** A text of many lines: what only marks or isolates a word's direction stays, texts in Arabic or Hebrew need it. */
export const visibleText = (text) => text.replace(/(?![\t\n\r])[\p{Cc}\u202a-\u202e\u2066\u2067]/gu, code);
