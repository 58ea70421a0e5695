// Bytes of a named charset to text. The platform's decoders know nearly all that mail is written in; this adds the old
// 7-bit ones that switch between sets (RFC 1468, 1557, 1843, 2152) and names that programs use for others. Total and linear.

// Written so that no pattern has a control character in its source.
const [esc, shiftOut, shiftIn] = ['\x1b', '\x0e', '\x0f'] as const;
const japaneseSwitch = `${esc}[$(][@BIJ]`;
const doubleSwitch = new RegExp(`${japaneseSwitch}(?=${japaneseSwitch})`, 'g');
const koreanRun = new RegExp(`${shiftOut}([^${shiftIn}\n]*)${shiftIn}?`, 'g');

/** Names in use that the platform knows under another one. */
const aliases: Readonly<Record<string, string>> = {
  cp932: 'shift_jis',
  cp936: 'gbk',
  cp949: 'euc-kr',
  cp950: 'big5',
  'x-gbk': 'gbk',
};

/** Decodes bytes by a charset's name; null where the name is unknown, or `fatal` and a byte is not valid in it. */
export function decodeCharset(bytes: Uint8Array, charset: string, fatal = false): string | null {
  const name = charset.trim().toLowerCase();
  const switching = switchingDecoder(name);
  if (switching !== null) return switching(bytes);
  try {
    return new TextDecoder(aliases[name] ?? name, { fatal }).decode(bytes);
  } catch {
    return null;
  }
}

/** Decodes a text of a charset that switches sets on the way, which is only to be read as a whole; null for others. */
export function switchingDecoder(charset: string): ((bytes: Uint8Array) => string) | null {
  if (/^(?:jis|iso-?2022-?jp)/i.test(charset)) return decodeJapanese;
  if (/^iso-?2022-?kr$/i.test(charset)) return decodeKorean;
  if (/^hz(?:-gb-?2312)?$/i.test(charset)) return decodeChinese;
  if (/^(?:(?:x-)?unicode-(?:1|2)-(?:0|1)-)?utf-?7$/i.test(charset)) return decodeUtf7;
  return null;
}

/** RFC 1468. A switch right behind another one says nothing, but the platform's decoder takes it for an error. */
function decodeJapanese(bytes: Uint8Array): string {
  const text = latin1(bytes).replace(doubleSwitch, '');
  return new TextDecoder('iso-2022-jp').decode(Buffer.from(text, 'latin1'));
}

/** RFC 1557: between SO and SI the bytes are EUC-KR's without their high bits; a line begins in ASCII. */
function decodeKorean(bytes: Uint8Array): string {
  const text = latin1(bytes)
    .replaceAll(`${esc}$)C`, '')
    .replace(koreanRun, (_, korean: string) => withHighBits(korean))
    .replaceAll(shiftIn, '');
  return new TextDecoder('euc-kr').decode(Buffer.from(text, 'latin1'));
}

/** RFC 1843: between `~{` and `~}` the bytes are GB 2312's without their high bits; `~~` is a tilde, `~` can join lines. */
function decodeChinese(bytes: Uint8Array): string {
  const pattern = /~\{((?:[^~\n]|~(?!\}))*)(?:~\})?|~~|~\r?\n/g;
  const text = latin1(bytes).replace(pattern, (found, chinese: string | undefined) => {
    if (chinese !== undefined) return withHighBits(chinese);
    return found === '~~' ? '~' : '';
  });
  return new TextDecoder('gb18030').decode(Buffer.from(text, 'latin1'));
}

/** RFC 2152: between `+` and `-` (or what is not base64) stands UTF-16 in base64; `+-` is a plus. */
function decodeUtf7(bytes: Uint8Array): string {
  return latin1(bytes)
    .replace(/\+([A-Za-z0-9+/]*)-?/g, (_, encoded: string) => {
      if (encoded === '') return '+';
      const units = Buffer.from(encoded, 'base64');
      return units
        .subarray(0, units.length & ~1)
        .swap16()
        .toString('utf16le');
    })
    .toWellFormed();
}

function withHighBits(text: string): string {
  return text.replace(/[!-~]/g, (char) => String.fromCharCode(char.charCodeAt(0) | 0x80));
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
