// What a load balancer says before anything else: the header of PROXY v2.

/** The bytes by which it is known. */
export const proxySignature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

/** `command`: 0x20 LOCAL, 0x21 PROXY. `family`: 0x11 TCP over IPv4, 0x21 over IPv6, 0 none. `body`: addresses, ports, TLVs. */
export function proxyHeader(command: number, family: number, body: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(body.length);
  return Buffer.concat([proxySignature, Buffer.from([command, family]), length, body]);
}
