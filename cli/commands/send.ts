// `pillarbox send`: one message over SMTP, to the local server unless told otherwise; prints the id it was given.

import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { createTransport } from 'nodemailer';
import { z } from 'zod';
import {
  type CliArguments,
  type CliWorld,
  type Command,
  cliError,
  optionValue,
  plain,
  print,
  usageError,
} from '#cli/command.ts';
import { exitCodes } from '#cli/exit-codes.ts';
import { type HostPort, parseHostPort } from '#cli/host-port.ts';
import { dataOption, namedServer } from '#cli/running-server.ts';
import { smtpOf } from '#ops/running-server.ts';

export const send: Command = {
  name: 'send',
  usage: '--from A --to B [options]',
  about: 'send a message over SMTP, by default to the server on this machine',
  takes: [0, 0],
  options: {
    from: { value: 'ADDRESS', about: 'the sender' },
    to: { value: 'ADDRESS', about: 'a recipient; again for more', many: true },
    subject: { value: 'TEXT', about: 'the subject' },
    text: { value: 'TEXT', about: 'the text' },
    file: { value: 'FILE', about: 'the text, from a file ("-": standard input)' },
    html: { value: 'FILE', about: 'an HTML version, from a file' },
    attach: { value: 'FILE', about: 'a file to attach; again for more', many: true },
    raw: { value: 'FILE', about: 'a whole message as it is, instead ("-": standard input)' },
    server: {
      value: 'HOST:PORT',
      about: 'where to (default: the server started in this folder, else 127.0.0.1:2525; with --user 127.0.0.1:2587)',
    },
    ...dataOption,
    user: { value: 'NAME', about: 'log in (password: PILLARBOX_PASSWORD, else asked for at the terminal)' },
  },
  gives: z.strictObject({
    id: z.string().nullable(),
    response: z.string(),
    accepted: z.array(z.string()),
    rejected: z.array(z.string()),
  }),
  finds: 'if some of the recipients were refused; the others get it',
  run: async (given, world) => {
    const sender = optionValue(given, 'from');
    const to = given.values['to'] ?? [];
    if (sender === null || to.length === 0) throw usageError('say who it is from and to: --from A --to B');
    const transport = createTransport(await serverOf(given, world));
    try {
      const sent = await transport.sendMail({
        ...(await contentOf(given, world, sender)),
        envelope: { from: sender, to: [...to] },
      });
      const id = /\b[0-9A-HJKMNP-TV-Z]{26}\b/.exec(sent.response)?.[0] ?? null;
      const refused = sent.rejected.map(String);
      const text = [id ?? plain(sent.response), ...refused.map((address) => `refused: ${plain(address)}`)].join('\n');
      print(given, world, { json: { id, response: sent.response, accepted: sent.accepted, rejected: refused }, text });
      return refused.length === 0 ? exitCodes.done : exitCodes.foundProblems;
    } catch (thrown) {
      throw explained(thrown, optionValue(given, 'server') ?? 'this machine', given.self);
    } finally {
      transport.close();
    }
  },
};

/** The port that was named, or that of the server here: with a login the one for submission. */
async function addressOf(given: CliArguments, world: CliWorld, role: 'mx' | 'submission'): Promise<HostPort> {
  const named = optionValue(given, 'server');
  if (named !== null) return parseHostPort(named, '--server');
  const running = await namedServer(given, world);
  const found = running && smtpOf({ listeners: running.listeners.filter((one) => one.role === role) });
  return found ?? { host: '127.0.0.1', port: role === 'mx' ? 2525 : 2587 };
}

async function serverOf(given: CliArguments, world: CliWorld) {
  const user = optionValue(given, 'user');
  const { host, port } = await addressOf(given, world, user === null ? 'mx' : 'submission');
  const isHere = /^(127\.|localhost$|::1$)/.test(host);
  const tls = { rejectUnauthorized: !isHere };
  const base = { host, port, secure: port === 465 || port === 2465, tls, connectionTimeout: 10_000 };
  if (user === null) return { ...base, ignoreTLS: isHere };
  const pass = world.environment['PILLARBOX_PASSWORD'] ?? (await world.askSecretly?.('Password: '));
  if (pass === undefined) throw cliError('set PILLARBOX_PASSWORD, or run it at a terminal', 'no-password');
  // A capture server on this machine has no TLS to offer.
  return { ...base, requireTLS: !isHere, auth: { user, pass } };
}

async function contentOf(given: CliArguments, world: CliWorld, from: string) {
  const read = async (path: string): Promise<Buffer> =>
    path === '-' ? world.readInput() : readFile(resolve(world.directory, path)).catch(() => missing(path));
  const raw = optionValue(given, 'raw');
  if (raw !== null) return { raw: await read(raw) };
  const [file, html] = [optionValue(given, 'file'), optionValue(given, 'html')];
  const attachments = [];
  for (const path of given.values['attach'] ?? []) {
    attachments.push({ filename: basename(path), content: await read(path) });
  }
  return {
    from,
    to: [...(given.values['to'] ?? [])],
    subject: optionValue(given, 'subject') ?? '',
    text: file === null ? (optionValue(given, 'text') ?? '') : (await read(file)).toString('utf8'),
    ...(html === null ? {} : { html: (await read(html)).toString('utf8') }),
    attachments,
  };
}

function missing(path: string): never {
  throw cliError(`${path} cannot be read`, 'no-file');
}

function explained(thrown: unknown, server: string, self: string): Error {
  if (!(thrown instanceof Error)) return cliError(String(thrown), 'not-sent');
  const response = 'response' in thrown && typeof thrown.response === 'string' ? thrown.response : null;
  if (response !== null) return cliError(`the server refused it: ${response}`, 'refused');
  if (/ECONNREFUSED/.test(thrown.message)) {
    return cliError(
      `no mail server is listening on ${server}. Start it with "${self}", or name another with --server.`,
      'no-server',
    );
  }
  return 'cliExitCode' in thrown ? thrown : cliError(`not sent: ${thrown.message}`, 'not-sent');
}
