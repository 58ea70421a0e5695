// `pillarbox settings NAME`: what to write into an app so that its mail comes to the server that runs here.
import { z } from 'zod';
import { type CliArguments, type Command, optionValue, print, table, usageError } from '#cli/command.ts';
import { exitCodes } from '#cli/exit-codes.ts';
import { parseHostPort } from '#cli/host-port.ts';
import { dataOption, runningServer } from '#cli/running-server.ts';
import {
  type Framework,
  findFramework,
  frameworks,
  type MailServer,
  settingsHead,
} from '#ops/programs/framework-settings.ts';
import { smtpOf } from '#ops/running-server.ts';
import { didYouMean } from '#pipeline/config/nearest-name.ts';

const usualServer: MailServer = { host: '127.0.0.1', port: 2525 };

const frameworkShape = z.strictObject({
  name: z.string(),
  title: z.string(),
  versions: z.string(),
  file: z.string(),
  language: z.string(),
  needs: z.string().nullable(),
  settings: z.string(),
});

export const settings: Command = {
  name: 'settings',
  usage: '[NAME] [options]',
  about: 'show what to write into an app so that its mail is caught here: rails, django, laravel, …',
  takes: [0, 1],
  options: {
    server: { value: 'HOST:PORT', about: 'where the app finds the server (default: the one started in this folder)' },
    ...dataOption,
  },
  completes: frameworks.map(({ name }) => name),
  gives: z.strictObject({ host: z.string(), port: z.int(), frameworks: z.array(frameworkShape) }),
  run: async (given, world) => {
    const [name] = given.positionals;
    const framework = name === undefined ? null : known(name);
    const named = optionValue(given, 'server');
    const running = named === null ? await runningServer(given, world) : null;
    const found = running === null ? null : smtpOf(running);
    const server = named === null ? (found ?? usualServer) : parseHostPort(named, '--server');
    if (running?.mode === 'serve') world.writeError(`${servesReal(given.self)}\n`);
    else if (named === null && found === null) world.writeError(`${noServer}\n`);
    print(given, world, framework === null ? overview(server, given) : shown(framework, server));
    return exitCodes.done;
  },
};

const noServer = 'No server runs in this folder: these are the settings for the usual port.';

function servesReal(self: string): string {
  return `The server that runs here serves real mail: an app that sends by it needs its hostname, port 587 or 465 with TLS, and a user ("${self} user add").`;
}

function known(name: string): Framework {
  const names = frameworks.map((one) => one.name);
  const found = findFramework(name);
  if (found === undefined) throw usageError(`${name}: there is ${names.join(', ')}.${didYouMean(name, names)}`);
  return found;
}

function shown(framework: Framework, server: MailServer) {
  const { needs } = framework;
  const more = needs === null ? '' : `\n\nAlso needed: ${needs}`;
  return {
    json: { ...server, frameworks: [described(framework, server)] },
    text: `${settingsHead(framework)}\n\n${framework.settings(server)}${more}`,
  };
}

function described(framework: Framework, server: MailServer): z.output<typeof frameworkShape> {
  const { name, title, versions, file, language, needs } = framework;
  return { name, title, versions, file, language, needs, settings: framework.settings(server) };
}

function overview(server: MailServer, { columns, self }: Pick<CliArguments, 'columns' | 'self'>) {
  const rows = frameworks.map(({ name, title, versions }) => [name, title, versions]);
  const plain = `SMTP server ${server.host}, port ${server.port}, no TLS, no login (any user and password will do)`;
  return {
    json: { ...server, frameworks: frameworks.map((one) => described(one, server)) },
    text: `${plain}\n\n${table(['NAME', 'FRAMEWORK', 'VERSIONS'], rows, columns)}\nShow one: ${self} settings rails`,
  };
}
