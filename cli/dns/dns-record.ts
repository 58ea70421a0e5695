// A record of the DNS to publish, and its line in a zone file.
import { z } from 'zod';

/** A record; `value` is the text of a TXT record in one piece, or the data of another type. */
export const dnsRecordSchema = z.strictObject({
  name: z.string(),
  type: z.enum(['TXT', 'MX', 'A', 'PTR', 'CNAME']),
  value: z.string(),
  about: z.string(),
});

export type DnsRecord = Readonly<z.output<typeof dnsRecordSchema>>;

/** A line of a zone file; a text over 255 octets is cut into strings (RFC 1035 §3.3). */
export function recordText({ name, type, value, about }: DnsRecord): string {
  const data = type === 'TXT' ? (value.match(/.{1,255}/g) ?? ['']).map((piece) => `"${piece}"`).join(' ') : value;
  return `; ${about}\n${name}. ${type} ${data}`;
}
