// `pillarbox mcp`: the mail of a server for a coding agent, over standard input and output.
import { z } from 'zod';
import { serverOptions } from '#cli/ask-server.ts';
import { type CliArguments, type Command, optionValue, print } from '#cli/command.ts';
import { exitCodes } from '#cli/exit-codes.ts';

export const mcp: Command = {
  name: 'mcp',
  usage: '[options]',
  about:
    'let a coding agent wait for mail and read it (Model Context Protocol, over standard input and output); --json prints what goes into its mcp.json instead',
  takes: [0, 0],
  options: serverOptions,
  gives: z.strictObject({
    mcpServers: z.strictObject({ pillarbox: z.strictObject({ command: z.string(), args: z.array(z.string()) }) }),
  }),
  run: async (given, world) => {
    const settings = agentSettings(given);
    if (given.switches.has('json')) {
      print(given, world, { json: settings, text: '' });
      return exitCodes.done;
    }
    const { input, output } = world.standardStreams;
    if ('isTTY' in input && input.isTTY === true) {
      world.writeError(
        `A coding agent starts this by itself. Its mcp.json has:\n${JSON.stringify(settings, null, 2)}\n`,
      );
    }
    const [{ serveMcp }, { askMail }, { mailTools }] = await Promise.all([
      import('./serve-mcp.ts'),
      import('./ask-mail.ts'),
      import('#cli/mcp/tools/tools.ts'),
    ]);
    await serveMcp({
      tools: mailTools,
      askFor: (signal) => askMail(given, world, signal),
      version: world.version,
      input,
      output,
      onProblem: (sentence) => world.writeError(`pillarbox mcp: ${sentence}\n`),
    });
    return exitCodes.done;
  },
};

/** What goes into `.mcp.json`, with the options that were given; a token stays out of it. */
function agentSettings(given: CliArguments) {
  const options = ['url', 'data'].flatMap((name) => {
    const value = optionValue(given, name);
    return value === null ? [] : [`--${name}`, value];
  });
  const [command = '', ...words] = given.self.split(' ');
  return { mcpServers: { pillarbox: { command, args: [...words, 'mcp', ...options] } } };
}
