// The PROXY protocol, version 2 (haproxy.org/download/2.9/doc/proxy-protocol.txt §2.2): the address of the client as a load
// balancer gives it. Read only if the configuration says that one is in front, since anybody could send it.

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const fixedBytes = 16;
const maxBodyBytes = 4_096; // addresses take 36; the rest are TLVs, which are not used here
const tcp4 = 0x11;
const tcp6 = 0x21;

/**
 * What a connection begins with. `header`: `bytes` of it are the header; `peer` is the client, null where the balancer
 * speaks for itself (LOCAL: a health check) or does not say.
 */
export type ProxyHeader =
  | { readonly outcome: 'more' }
  | { readonly outcome: 'invalid' }
  | {
      readonly outcome: 'header';
      readonly bytes: number;
      readonly peer: { readonly ip: string; readonly port: number } | null;
    };

/** Reads as much of the header as there is. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  const seen = Math.min(bytes.length, signature.length);
  if (!bytes.subarray(0, seen).equals(signature.subarray(0, seen))) return { outcome: 'invalid' };
  const [versionAndCommand, family] = [bytes[12], bytes[13]];
  if (versionAndCommand !== undefined && versionAndCommand !== 0x20 && versionAndCommand !== 0x21) {
    return { outcome: 'invalid' };
  }
  if (bytes.length < fixedBytes) return { outcome: 'more' };
  const bodyBytes = bytes.readUInt16BE(14);
  if (bodyBytes > maxBodyBytes) return { outcome: 'invalid' };
  if (bytes.length < fixedBytes + bodyBytes) return { outcome: 'more' };
  const header = { outcome: 'header', bytes: fixedBytes + bodyBytes } as const;
  if (versionAndCommand === 0x20) return { ...header, peer: null };
  const body = bytes.subarray(fixedBytes, header.bytes);
  if (family === tcp4) return body.length < 12 ? { outcome: 'invalid' } : { ...header, peer: peer4(body) };
  if (family === tcp6) return body.length < 36 ? { outcome: 'invalid' } : { ...header, peer: peer6(body) };
  return family === 0 ? { ...header, peer: null } : { outcome: 'invalid' };
}

/** Source and destination address, source and destination port. */
function peer4(body: Buffer): { ip: string; port: number } {
  return { ip: body.subarray(0, 4).join('.'), port: body.readUInt16BE(8) };
}

function peer6(body: Buffer): { ip: string; port: number } {
  const groups = Array.from({ length: 8 }, (_, index) => body.readUInt16BE(index * 2).toString(16));
  const isMapped = groups.slice(0, 5).every((group) => group === '0') && groups[5] === 'ffff';
  return { ip: isMapped ? body.subarray(12, 16).join('.') : groups.join(':'), port: body.readUInt16BE(32) };
}
