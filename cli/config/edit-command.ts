// Commands that change one thing of the configuration, of a file or of a deployment. All do it in the same way: read it, make ready,
// edit the text and leave the rest of it as its author wrote it, write it unless somebody else was faster, and say what is new.

import { z } from 'zod';
import { type CliArguments, type CliWorld, type Command, print } from '#cli/command.ts';
import { stackOptions } from '#cli/deployment.ts';
import { exitCodes } from '#cli/exit-codes.ts';
import { type ConfigFile, configOption } from './config-file.ts';
import { type ConfigPlace, withConfig } from './config-place.ts';

/** `known`: the configuration as it was when the command began. */
export type EditContext = {
  readonly given: CliArguments;
  readonly world: CliWorld;
  readonly place: ConfigPlace;
  readonly known: ConfigFile;
};

/** `json`: what `--json` prints beside `config` (where it was written) and `notice`. `lines`: for people; notices follow them. */
type Told = {
  readonly json: Readonly<Record<string, unknown>>;
  readonly lines: readonly string[];
  readonly next?: string;
};

/**
 * `ready`: reads the command line and makes what is needed, before anything is written. `change` gives the new text; it is asked again if
 * somebody else was faster. Both throw a CliError if it cannot be done. `undo`: if the configuration could not be written.
 * `gives`: what `json` of `tells` has.
 */
export function editing<Ready, Change extends { readonly text: string; readonly notices?: readonly string[] }>({
  options,
  gives,
  ready,
  change,
  undo,
  tells,
  ...rest
}: Omit<Command, 'run' | 'gives'> & {
  readonly gives: z.ZodRawShape;
  readonly ready: (context: EditContext) => Ready | Promise<Ready>;
  readonly change: (file: ConfigFile, ready: Ready, context: EditContext) => Change;
  readonly undo?: (ready: Ready) => Promise<void>;
  readonly tells: (done: Change & { readonly ready: Ready }, context: EditContext) => Told | Promise<Told>;
}): Command {
  return {
    ...rest,
    options: { ...options, ...configOption, ...stackOptions },
    gives: z.strictObject({ ...gives, config: z.string(), notice: z.string().nullable() }),
    run: (given, world) =>
      withConfig(given, world, async (place) => {
        const context = { given, world, place, known: await place.read() };
        const made = await ready(context);
        const written = await place
          .edit((file) => change(file, made, context))
          .catch(async (thrown: unknown) => {
            await undo?.(made);
            throw thrown;
          });
        const { json, lines, next } = await tells({ ...written.change, ready: made }, context);
        const notices = [...written.notices, ...(written.change.notices ?? [])];
        const force = place.stack === null ? '' : 'In force within half a minute.';
        const last = [force, next ?? ''].filter((sentence) => sentence !== '').join(' ');
        print(given, world, {
          json: { ...json, config: context.known.path, notice: notices.length === 0 ? null : notices.join('\n') },
          text: [...lines, ...notices, ...(last === '' ? [] : [last])].join('\n'),
        });
        return exitCodes.done;
      }),
  };
}
