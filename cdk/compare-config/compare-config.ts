// What a deploy says of the stored configuration: where it and the options of the deploy differ. It never fails a deploy, since the
// file in the bucket is the operator's.
import { errorMessage } from '#mail/problem.ts';
import { deployedProblems, shownToDeployer } from '#pipeline/config/deployed-problems.ts';
import { parseConfig } from '#pipeline/config/parse-config.ts';
import { deployedOptionsSchema } from '#pipeline/contract/deployed-options.ts';

/** CloudFormation takes 1,024 for an output, in which the time stands too. */
const mostCharacters = 950;

export type Comparison = {
  /** The text of the stored configuration. Rejects, with a sentence, where it cannot be read. */
  readonly read: () => Promise<string>;
  /** What the deploy was made with, as the JSON of `DeployedOptions`. */
  readonly options: string;
  /** Names the file in the text of an error. */
  readonly where: string;
};

/** One sentence for people, with each difference, of at most 950 characters. Never rejects. */
export async function compareConfig({ read, options, where }: Comparison): Promise<string> {
  try {
    const text = await read();
    const deployed = deployedOptionsSchema.parse(JSON.parse(options));
    const problems = deployedProblems(text, parseConfig(text, where), deployed).map(shownToDeployer);
    if (problems.length === 0) return 'it does what the options say';
    return shortened(`${problems.length} to mend: ${problems.join(' | ')}`);
  } catch (thrown) {
    return shortened(`not compared: ${errorMessage(thrown).replaceAll(/\s+/g, ' ')}`);
  }
}

function shortened(text: string): string {
  if (text.length <= mostCharacters) return text;
  const end = ' … (the command of output NextStep says all)';
  return `${text.slice(0, mostCharacters - end.length)}${end}`;
}
