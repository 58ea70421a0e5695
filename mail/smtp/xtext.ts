// xtext, the escaping of ESMTP parameter values (RFC 3461 §4), and the address form that RFC 6533 §3 adds to it.

/** Decodes xtext: `+3D` is `=`. Null where the text is not xtext, or would decode to anything but printable ASCII. */
export function decodeXtext(text: string): string | null {
  if (!/^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$/.test(text)) return null;
  const decoded = text.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return /^[ -~]*$/.test(decoded) ? decoded : null;
}

/** Encodes printable ASCII as xtext; any other character becomes `?`, for xtext cannot carry it. */
export function encodeXtext(text: string): string {
  return text
    .replace(/[^ -~]/gu, '?')
    .replace(/[ +=]/g, (char) => `+${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

/**
 * Decodes the value of ORCPT: `rfc822;` and xtext (RFC 3461 §4.2), or `utf-8;` in any of the three forms of RFC 6533 §3.
 * Answers `<type in lower case>;<address>`, or null where it is neither.
 */
export function decodeOriginalRecipient(value: string): string | null {
  const semicolon = value.indexOf(';');
  const type = value.slice(0, Math.max(semicolon, 0)).toLowerCase();
  if (!/^[a-z0-9][a-z0-9-]*$/.test(type)) return null;
  const encoded = value.slice(semicolon + 1);
  const address = type === 'utf-8' ? decodeUtf8Address(encoded) : decodeXtext(encoded);
  return address === null || address === '' ? null : `${type};${address}`;
}

/** Encodes what {@link decodeOriginalRecipient} decoded, in ASCII only, for passing on to the next host. */
export function encodeOriginalRecipient(orcpt: string): string {
  const semicolon = orcpt.indexOf(';');
  const type = orcpt.slice(0, semicolon);
  const address = orcpt.slice(semicolon + 1);
  return `${type};${type === 'utf-8' ? encodeUtf8Address(address) : encodeXtext(address)}`;
}

/** RFC 6533 §3 utf-8-addr-xtext: characters beyond printable ASCII, and `\`, `+`, `=`, space, as `\x{HEX}`. */
export function encodeUtf8Address(address: string): string {
  return address.replace(/[^!-~]|[\\+=]/gu, (char) => `\\x{${(char.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`);
}

function decodeUtf8Address(text: string): string | null {
  if (!/^(?:[!-*,-<>-[\]-~]|[^\0-\x7f]|\\x\{[0-9A-F]{2,6}\})*$/u.test(text)) return null;
  let isValid = true;
  const decoded = text.replace(/\\x\{([0-9A-F]+)\}/g, (_, hex: string) => {
    const point = Number.parseInt(hex, 16);
    isValid &&= point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff);
    return isValid ? String.fromCodePoint(point) : '';
  });
  return isValid && !/[\p{Cc}\p{Cs}]/u.test(decoded) ? decoded : null;
}
