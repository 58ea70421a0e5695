// Where a command reads and edits the configuration: a file, or the object of a deployment on AWS.

import { type CliArguments, type CliWorld, cliError, optionValue, shellWord, usageError } from '#cli/command.ts';
import { refuseStackOptions, withDeployment } from '#cli/deployment.ts';
import type { Deployment, OpenedDeployment } from '#ops/aws/open-deployment.ts';
import { type ConfigProblem, forwardProblems } from '#pipeline/config/aws-problems.ts';
import { shownProblem } from '#pipeline/config/deployed-problems.ts';
import { type ConfigFile, checkedConfig, readConfigFile, writeConfigFile } from './config-file.ts';
import { judgeChange } from './deployed-config.ts';

/** A command of this program as a person types it, for this configuration: with `--stack NAME`, `--config FILE`, or as it is. */
export type OwnCommand = (words: string) => string;

export type ConfigPlace = {
  /** Throws a CliError if there is none, or if it cannot be used. */
  readonly read: () => Promise<ConfigFile>;
  /**
   * Replaces it by the text that `change` makes of it, which is asked again if somebody else was faster. Answers the change that was
   * written, with what its user should know of the new configuration, in sentences. Throws a CliError if that cannot be used, or if a
   * deployment does not do something that it newly says.
   */
  readonly edit: <Change extends { readonly text: string }>(
    change: (known: ConfigFile) => Change,
  ) => Promise<{ readonly change: Change; readonly notices: readonly string[] }>;
  readonly command: OwnCommand;
  /** The deployment that it belongs to; null for a file. */
  readonly stack: (Deployment & { readonly deployed: OpenedDeployment }) | null;
};

/** Does this with the configuration of `--stack`, or else with the file of `--config`. `ofFile`: options that go with a file alone. */
export async function withConfig<Result>(
  given: CliArguments,
  world: CliWorld,
  does: (place: ConfigPlace) => Promise<Result>,
  ofFile: readonly string[] = ['config'],
): Promise<Result> {
  if (optionValue(given, 'stack') === null) {
    refuseStackOptions(given);
    return does(filePlace(given, world));
  }
  const other = ofFile.find((name) => optionValue(given, name) !== null);
  if (other !== undefined) throw usageError(`--stack and --${other} exclude one another`);
  return withDeployment(given, world, (deployed, deployment) => does(deployedPlace(deployed, deployment, given.self)));
}

function filePlace(given: CliArguments, world: CliWorld): ConfigPlace {
  const read = () => readConfigFile(given, world);
  const named = optionValue(given, 'config');
  const shown = (problem: ConfigProblem): string => shownProblem(problem, given.self);
  return {
    stack: null,
    command: (words) => `${given.self} ${words}${named === null ? '' : ` --config ${shellWord(named)}`}`,
    read,
    edit: async (change) => {
      const file = await read();
      const changed = change(file);
      const known = forwardProblems(file.config).map(shown);
      const problems = forwardProblems(checkedConfig(changed.text, file.path)).map(shown);
      const notice = await writeConfigFile(file, changed.text);
      const notices = [notice, ...problems.filter((problem) => !known.includes(problem))];
      return { change: changed, notices: notices.filter((one) => one !== null) };
    },
  };
}

const maxTries = 5;

function deployedPlace(deployed: OpenedDeployment, deployment: Deployment, self: string): ConfigPlace {
  const store = deployed.configStore;
  const path = store.where;
  const readVersion = async () => {
    const stored = await store.read();
    if (stored === null) throw cliError(`there is no ${path}: the first deploy writes one`, 'no-config');
    return { stored, file: { path, text: stored.text, config: checkedConfig(stored.text, path) } };
  };
  return {
    stack: { ...deployment, deployed },
    command: (words) => `${self} ${words} --stack ${deployment.name} --region ${deployment.region}`,
    read: async () => (await readVersion()).file,
    edit: async (change) => {
      for (let tries = 0; tries < maxTries; tries += 1) {
        const { stored, file } = await readVersion();
        const changed = change(file);
        const { problems } = await judgeChange(store, stored, {
          text: changed.text,
          name: 'the new configuration',
          self,
        });
        if ((await store.replace(changed.text, stored)).outcome === 'conflict') continue;
        const more = `${problems.length} settings of it cannot work on AWS: "${self} check --stack ${deployment.name}" shows them`;
        return { change: changed, notices: problems.length === 0 ? [] : [more] };
      }
      throw cliError(`${path} was changed by others each time: nothing was written; try again`, 'changed');
    },
  };
}
