// `pillarbox backup FOLDER` and `pillarbox restore FOLDER`: the data folder of this machine, saved while the service runs.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { type CliArguments, type CliWorld, type Command, cliError, optionValue, print } from '#cli/command.ts';
import { configOption, configPath } from '#cli/config/config-file.ts';
import { exitCodes } from '#cli/exit-codes.ts';
import { errorMessage } from '#mail/problem.ts';
import type { BackupProgress, BackupReport, LeftOutBody, RestoreReport } from '#ops/data-backup.ts';

const tellEveryMs = 2_000;
const namedAtMost = 20;
const reportShape = z.strictObject({
  takenAt: z.string(),
  files: z.int(),
  bytes: z.int(),
  config: z.boolean(),
  leftOut: z.array(z.strictObject({ key: z.string(), why: z.string() })),
});
const dataOption = { data: { value: 'DIR', about: 'the data folder (default .pillarbox)' } } as const;

export const backup: Command = {
  name: 'backup',
  usage: 'FOLDER [options]',
  about:
    'save all mail, queues, secrets and the configuration into an empty folder, checked; the service may run meanwhile',
  takes: [1, 1],
  options: { ...dataOption, ...configOption },
  gives: reportShape.extend({
    folder: z.string(),
    bodies: z.int(),
    notIncluded: z.array(z.string()),
  }),
  finds: 'if bodies were lost before and are not in it; all else is',
  run: async (given, world) => {
    const folder = resolve(world.directory, given.positionals[0] ?? '');
    const request = {
      folder,
      dataFolder: dataFolder(given, world),
      configPath: existingConfig(given, world),
      nowMs: world.clock(),
      progress: progressLines(given, world),
    };
    const report = await orCliError(world.dataBackup.backup(request));
    print(given, world, { json: { folder, ...report }, text: backupText(folder, report) });
    return report.leftOut.length === 0 ? exitCodes.done : exitCodes.foundProblems;
  },
};

export const restore: Command = {
  name: 'restore',
  usage: 'FOLDER [--data DIR] [options]',
  about: 'make a data folder of a backup, which is checked first; the service must not run on it',
  takes: [1, 1],
  options: {
    ...dataOption,
    replace: { value: null, about: 'also where the data folder holds something: that is put aside in it' },
    'resume-deliveries': {
      value: null,
      about: 'send what was on its way out, even if it may have been sent since; else it waits as dead letters',
    },
  },
  gives: reportShape.extend({ data: z.string(), held: z.int(), replaced: z.string().nullable() }),
  run: async (given, world) => {
    const request = {
      folder: resolve(world.directory, given.positionals[0] ?? ''),
      dataFolder: dataFolder(given, world),
      replace: given.switches.has('replace'),
      resumeDeliveries: given.switches.has('resume-deliveries'),
      nowMs: world.clock(),
      progress: progressLines(given, world),
    };
    const report = await orCliError(world.dataBackup.restore(request));
    print(given, world, {
      json: { data: request.dataFolder, ...report },
      text: restoreText({ ...request, self: given.self }, report),
    });
    return exitCodes.done;
  },
};

function dataFolder(given: CliArguments, { directory }: CliWorld): string {
  return resolve(directory, optionValue(given, 'data') ?? '.pillarbox');
}

/** The file that was named, or the usual one if there is one, or null. */
function existingConfig(given: CliArguments, world: CliWorld): string | null {
  const path = configPath(given, world);
  if (existsSync(path)) return path;
  if (optionValue(given, 'config') !== null) throw cliError(`there is no ${path}`, 'no-config');
  return null;
}

/** A line on standard error every two seconds, unless a program reads along. */
function progressLines(given: CliArguments, { writeError, clock }: CliWorld): (step: BackupProgress) => void {
  let toldAt = clock();
  return ({ what, done, of }) => {
    if (given.switches.has('json') || clock() - toldAt < tellEveryMs) return;
    toldAt = clock();
    writeError(`${what}: ${done} of ${of}\n`);
  };
}

async function orCliError<Report>(work: Promise<Report>): Promise<Report> {
  return work.catch((thrown: unknown) => {
    throw cliError(errorMessage(thrown), 'failed');
  });
}

function backupText(folder: string, { takenAt, files, bytes, config, leftOut, notIncluded }: BackupReport): string {
  return [
    `Backed up and checked: ${files} files, ${bytes} bytes, as of ${takenAt}, in ${folder}.`,
    `It holds the secrets${config ? ' and the configuration' : ''}, so keep it as safe as the original.`,
    ...(config ? [] : ['There is no configuration file here to copy along (--config FILE names one).']),
    ...notIncluded.map((reference) => `Not in it, as the configuration refers to it elsewhere: ${reference}`),
    ...leftOutLines(leftOut),
  ].join('\n');
}

function restoreText(
  { folder, dataFolder: data, self }: { readonly folder: string; readonly dataFolder: string; readonly self: string },
  { takenAt, files, bytes, held, replaced, leftOut, config }: RestoreReport,
): string {
  return [
    `Restored ${files} files, ${bytes} bytes, as of ${takenAt}, into ${data}.`,
    ...(replaced === null ? [] : [`What was there before is in ${replaced}: remove it once you are sure.`]),
    ...(held === 0 ? [] : heldLines(held, self)),
    ...(config ? [`The configuration as it was is in ${folder}/config: it was not put anywhere.`] : []),
    ...leftOutLines(leftOut),
  ].join('\n');
}

function heldLines(held: number, self: string): readonly string[] {
  return [
    `${held} jobs that send mail out are kept as dead letters, since it may have been sent after the backup was taken.`,
    `Once the service runs: "${self} queues" says on which queues; "${self} redrive QUEUE" sends them,`,
    `"${self} purge QUEUE --yes" deletes them.`,
  ];
}

function leftOutLines(leftOut: readonly LeftOutBody[]): readonly string[] {
  if (leftOut.length === 0) return [];
  const more = leftOut.length - namedAtMost;
  return [
    `${leftOut.length} bodies were lost before the backup was taken, and are not in it:`,
    ...leftOut.slice(0, namedAtMost).map(({ key, why }) => `  ${key}: ${why}`),
    ...(more > 0 ? [`  and ${more} more: see backup.json`] : []),
  ];
}
