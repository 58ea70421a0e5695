// The messages the bench sends: plain ones of a wished size, lines of 72 octets.

/** A message of about `bytes` octets, header included, ending in CRLF; `subject` tells messages apart. */
export function plainMessage(bytes: number, subject = 'bench'): Buffer {
  const header = [
    'From: Ada <app@load.example>',
    'To: Bob <bob@bench.example>',
    `Subject: ${subject}`,
    'Date: Sat, 21 Nov 2026 10:00:00 +0000',
    `Message-ID: <${subject}@load.example>`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    '',
    '',
  ].join('\r\n');
  const line = `${'Lorem ipsum dolor sit amet, consectetur adipiscing elit. '.repeat(2).slice(0, 70)}\r\n`;
  const lines = Math.max(1, Math.round((bytes - header.length) / line.length));
  return Buffer.from(header + line.repeat(lines));
}
