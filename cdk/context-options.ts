// The options of `cdk.json` and `-c key=value`: what is no option is refused, and so is a name that only an example can have, since a
// deployment with it would greet other servers as nobody and wait for mail that cannot come.
import { whyNotPublic } from '#mail/address/reserved-name.ts';
import { didYouMean } from '#pipeline/config/nearest-name.ts';
import { type Options, optionNames, parseOptions } from './options.ts';

/** With `trial=true` the names of the example stand in for those that are not set: to look at the templates, not to deploy. */
const trialKey = 'trial';

/** Keys of the CDK: feature flags, what it has looked up in the account, and settings that its commands write. */
const ofTheCdk = /[@:]|^(?:acknowledged-issue-numbers|cli-telemetry)$/;

/** `accepted`: tests synthesize with names of examples. */
export type Placeholders = 'refused' | 'accepted';

/** Throws an Error that names each key that is wrong, and what was expected. */
export function contextOptions(context: Readonly<Record<string, unknown>>, placeholders: Placeholders): Options {
  const keys = Object.keys(context).filter((key) => !ofTheCdk.test(key));
  const given = Object.fromEntries(keys.filter((key) => key !== trialKey).map((key) => [key, context[key]]));
  const unknown = Object.keys(given).filter((key) => !optionNames.includes(key));
  const options = Object.fromEntries(Object.entries(given).filter(([key]) => !unknown.includes(key)));
  const faults = [
    ...unknown.map((key) => `${key}: there is no such option.${didYouMean(key, [...optionNames, trialKey])}`),
    ...(placeholders === 'refused' ? placeholderFaults(options, String(context[trialKey]) === 'true') : []),
  ];
  if (faults.length > 0) throw new Error(`cdk options:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
  return parseOptions(given);
}

const needed = { hostname: 'the name that others know the listener by', domains: 'those to receive mail for' } as const;

function placeholderFaults(given: Readonly<Record<string, unknown>>, isTrial: boolean): readonly string[] {
  const unset = Object.entries(needed).filter(([key]) => given[key] === undefined);
  const texts = Object.entries(given).flatMap(([key, value]) =>
    [value]
      .flat()
      .flatMap((one) => (typeof one === 'string' ? one.split(/[\s,]+/).map((text) => [key, text] as const) : [])),
  );
  return [
    ...(isTrial
      ? []
      : unset.map(([key, what]) => `${key}: is not set: ${what} (to look at the templates only: -c trial=true)`)),
    ...texts
      .filter(([, text]) => isPlaceholder(text))
      .map(([key, text]) => `${key}: "${text}" is a placeholder: write your own`),
  ];
}

/** `mx.example.org`, `ops@your-domain.test`, `REPLACE-ME`, `<name>`. */
function isPlaceholder(text: string): boolean {
  const name = text.slice(text.lastIndexOf('@') + 1).toLowerCase();
  if (name.includes('.') && whyNotPublic(name) !== null) return true;
  return /^<.*>$|^x{3,}$|^(?:replace|change|fill)[-_]?(?:me|this|with|in)\b|^your[-_]|^todo$|^tbd$/i.test(text);
}
