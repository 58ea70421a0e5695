// The messages the bench sends: plain ones of a wished size, lines of 72 octets.
import { seeded, wordAt } from './vocabulary.ts';

const lineLength = 70;

/** A message of about `bytes` octets, header included, ending in CRLF; `subject` tells messages apart. */
export function plainMessage(bytes: number, subject = 'bench'): Buffer {
  const header = headerOf(subject);
  const line = `${'Lorem ipsum dolor sit amet, consectetur adipiscing elit. '.repeat(2).slice(0, lineLength)}\r\n`;
  const lines = Math.max(1, Math.round((bytes - header.length) / line.length));
  return Buffer.from(header + line.repeat(lines));
}

/** Likewise, but each number has a text of its own, as mail has: what is made for a search costs what it costs with mail. */
export function variedMessage(bytes: number, n: number): Buffer {
  const random = seeded(n + 1);
  let text = headerOf(`${wordAt(random())} ${n}`);
  while (text.length < bytes) {
    let line = '';
    while (line.length < lineLength - 8) line += `${wordAt(random())} `;
    text += `${line.trimEnd()}\r\n`;
  }
  return Buffer.from(text);
}

function headerOf(subject: string): string {
  return [
    'From: Ada <app@load.example>',
    'To: Bob <bob@bench.example>',
    `Subject: ${subject}`,
    'Date: Sat, 21 Nov 2026 10:00:00 +0000',
    `Message-ID: <${subject.replace(' ', '.')}@load.example>`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    '',
    '',
  ].join('\r\n');
}
