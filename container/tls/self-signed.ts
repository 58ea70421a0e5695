// A self-signed certificate: X.509 version 3 (RFC 5280 §4.1) in DER, for an ECDSA key, with the names it is good for.
import { createPublicKey, type KeyObject, sign } from 'node:crypto';

const oid = {
  ecdsaWithSha256: '2a8648ce3d040302',
  commonName: '550403',
  subjectAltName: '551d11',
} as const;

/** The tags of ASN.1 that a certificate is written with; `explicit` ones hold another value, `name` ones stand in a GeneralName. */
const tag = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  explicit0: 0xa0,
  explicit3: 0xa3,
  nameDns: 0x82,
  nameIp: 0x87,
} as const;

/** The certificate as DER. `serial` is a positive number of at most 20 bytes; the key must be an EC private key. */
export function selfSigned({
  names,
  addresses,
  from,
  until,
  serial,
  key,
}: {
  /** The first one is the subject, too. */
  readonly names: readonly string[];
  /** IPv4 addresses. */
  readonly addresses: readonly string[];
  readonly from: Date;
  readonly until: Date;
  readonly serial: Uint8Array;
  readonly key: KeyObject;
}): Buffer {
  const algorithm = sequence(identifier(oid.ecdsaWithSha256));
  const subject = sequence(
    der(tag.set, sequence(identifier(oid.commonName), der(tag.utf8, Buffer.from(names[0] ?? '')))),
  );
  const alternatives = sequence(
    ...names.map((name) => der(tag.nameDns, Buffer.from(name))),
    ...addresses.map((address) => der(tag.nameIp, Buffer.from(address.split('.').map(Number)))),
  );
  const signed = sequence(
    der(tag.explicit0, der(tag.integer, Buffer.from([2]))), // version 3
    der(tag.integer, serial),
    algorithm,
    subject, // the issuer
    sequence(time(from), time(until)),
    subject,
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    der(tag.explicit3, sequence(sequence(identifier(oid.subjectAltName), der(tag.octetString, alternatives)))),
  );
  return sequence(
    signed,
    algorithm,
    der(tag.bitString, Buffer.concat([Buffer.from([0]), sign('sha256', signed, key)])),
  );
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der(tag.sequence, ...parts);
}

function identifier(hex: string): Buffer {
  return der(tag.oid, Buffer.from(hex, 'hex'));
}

/** UTCTime until 2049, GeneralizedTime after it (RFC 5280 §4.1.2.5). */
function time(at: Date): Buffer {
  const digits = at.toISOString().replaceAll(/\D/g, '').slice(0, 14);
  return at.getUTCFullYear() < 2050
    ? der(tag.utcTime, Buffer.from(`${digits.slice(2)}Z`))
    : der(tag.generalizedTime, Buffer.from(`${digits}Z`));
}

/** Tag, length, content. A length above 127 is written in bytes of its own, behind how many those are. */
function der(type: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const hex = content.length.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  const length = content.length < 128 ? bytes : Buffer.concat([Buffer.from([0x80 + bytes.length]), bytes]);
  return Buffer.concat([Buffer.from([type]), length, content]);
}
