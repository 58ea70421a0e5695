// `pillarbox init`: a configuration to start from. Asks nothing, overwrites nothing.

import { z } from 'zod';
import { type CliArguments, type Command, cliError, optionValue, print, usageError } from '#cli/command.ts';
import { configOption, configPath, writeNew } from '#cli/config/config-file.ts';
import { exitCodes } from '#cli/exit-codes.ts';
import { parseDomain } from '#mail/address/address.ts';
import { whyNotPublic } from '#mail/address/reserved-name.ts';
import { errorMessage, isProblem } from '#mail/problem.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { parseConfig } from '#pipeline/config/parse-config.ts';

export const init: Command = {
  name: 'init',
  usage: '--domain DOMAIN [options]',
  about: 'write a pillarbox.json to start from',
  takes: [0, 0],
  options: {
    domain: {
      value: 'DOMAIN',
      about: 'the domain to receive mail for (left out: example.org, to try on this machine)',
    },
    hostname: { value: 'NAME', about: 'the name this server has in the DNS (default mx.DOMAIN)' },
    mailbox: { value: 'NAME', about: 'a mailbox; again for more (default postmaster)', many: true },
    public: { value: null, about: 'listen on all addresses, not on this machine only' },
    ...configOption,
  },
  gives: z.strictObject({ path: z.string() }),
  run: async (given, world) => {
    const path = configPath(given, world);
    const text = `${JSON.stringify(startingConfig(given), null, 2)}\n`;
    check(text, path);
    if (!(await writeNew(path, text, 0o600))) throw cliError(`${path} is there already, and stays as it is`, 'exists');
    const commands = ['user add NAME', 'dkim new DOMAIN', 'check'].map((words) => `"${given.self} ${words}"`);
    const next = `Next: ${commands.join(', ')}, and to start it "${given.self}".`;
    const known = given.values['domain'] ?? given.values['hostname'];
    const trial =
      'mx.example.org is a placeholder: set "hostname" and "domains" before others can reach this server.\n';
    print(given, world, { json: { path }, text: `Wrote ${path}\n${known === undefined ? trial : ''}${next}` });
    return exitCodes.done;
  },
};

function startingConfig(given: CliArguments): ConfigInput {
  const domain = parseDomain(optionValue(given, 'domain') ?? 'example.org');
  if (isProblem(domain)) throw usageError(`--domain: ${domain.problem}`);
  const isPublic = given.switches.has('public');
  const host = isPublic ? '0.0.0.0' : '127.0.0.1';
  const hostname = optionValue(given, 'hostname') ?? `mx.${domain}`;
  const reason = isPublic ? whyNotPublic(hostname.toLowerCase()) : null;
  if (reason !== null) {
    const advice = 'name your domain with --domain, or the server with --hostname';
    throw usageError(`--public: ${hostname} ${reason}: ${advice}`);
  }
  const mailboxes = [...(given.values['mailbox'] ?? ['postmaster'])];
  return {
    hostname,
    listeners: [
      { role: 'mx', host, port: 2525 },
      { role: 'submission', host, port: 2587 },
      { role: 'submissions', host, port: 2465 },
    ],
    domains: {
      [domain]: { mailboxes, aliases: {}, catchAll: null, onDmarcFail: 'quarantine', dkim: [] },
    },
    users: [],
  };
}

function check(text: string, path: string): void {
  try {
    parseConfig(text, path);
  } catch (thrown) {
    throw usageError(errorMessage(thrown));
  }
}
