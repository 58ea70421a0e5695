// Run in a mount namespace where a folder is a small file system of its own: a service in it is sent mail until the disk
// is full, room is made, and more is sent. Prints what became of the mail as JSON.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drained, startLocalService } from '#test/support/worlds/local-service.ts';
import { rawSmtp, sendRaw } from './raw-smtp.ts';
import { idIn } from './send-many.ts';

const [folder = ''] = process.argv.slice(2);
const ends: (() => unknown)[] = [];
const service = await startLocalService({ after: (end: any) => void ends.push(end) }, { folder });
const accepted = new Set<string>();

/** Sends so many of this size; the replies that were no 250. */
async function send(count: number, bytes: number): Promise<string[]> {
  const refused: string[] = [];
  let smtp = await rawSmtp(service.ports.mx);
  await smtp.command('EHLO x.example');
  for (let n = 0; n < count; n++) {
    const content = Buffer.from(`Subject: ${n}\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(bytes / 72)}`);
    const reply = await sendRaw(smtp, { to: ['bob@receiver.example'], content });
    if (reply.startsWith('250')) accepted.add(idIn(reply));
    else refused.push(reply);
    if (reply.startsWith('421')) {
      smtp.close();
      smtp = await rawSmtp(service.ports.mx);
      await smtp.command('EHLO x.example');
    }
  }
  smtp.close();
  return refused;
}

const ballast = join(folder, 'ballast');
writeFileSync(ballast, Buffer.alloc(14_000_000));
await send(5, 10_000);
const before = accepted.size;
const full = [...(await send(60, 100_000)), ...(await send(10, 700_000))];
const during = accepted.size;
rmSync(ballast);
await send(5, 10_000);
const after = accepted.size - during;
await drained(service, 60);
const lost: string[] = [];
for (const id of accepted) {
  if ((await fetch(`${service.http}/api/messages/${id}`)).status !== 200) lost.push(id);
}
console.log(JSON.stringify({ before, full, after, lost, queues: await service.json('/api/queues') }));
for (const end of ends) await end();
process.exit(0);
