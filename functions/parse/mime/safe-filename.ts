// Names of attachments, made safe to save under on any system: the sender chose them.

const maxBytes = 200;
const reserved = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?=\s*\.|$)/i;

/**
 * A name that is safe to save under: no path, no control or direction characters, nothing a Windows name may not
 * have, no leading dot, at most 200 bytes of UTF-8 (the extension is kept), never empty (`fallback` then).
 */
export function safeFilename(name: string | null | undefined, fallback = 'attachment'): string {
  const lastPart = (name ?? '').slice(-4_096).toWellFormed().normalize('NFC').split(/[/\\]/).at(-1) ?? '';
  const visible = lastPart
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\ufffd]/gu, '')
    .replace(/[<>:"|?*]/g, '_')
    .replace(/\s+/gu, ' ')
    .replace(/^[. ]+|[. ]+$/g, '');
  const named = reserved.test(visible) ? `_${visible}` : visible;
  return shorten(named) || fallback;
}

function shorten(name: string): string {
  if (Buffer.byteLength(name) <= maxBytes) return name;
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 && Buffer.byteLength(name.slice(dot)) <= 32 ? name.slice(dot) : '';
  const stem = extension === '' ? name : name.slice(0, dot);
  return `${cut(stem, maxBytes - Buffer.byteLength(extension)).replace(/[. ]+$/, '')}${extension}`;
}

/** The longest beginning of whole characters that fits. */
function cut(text: string, bytes: number): string {
  let used = 0;
  let result = '';
  for (const char of text) {
    used += Buffer.byteLength(char);
    if (used > bytes) break;
    result += char;
  }
  return result;
}
