// The options of `cdk.json` and `-c key=value`: what is no option is refused, and so is a name that only an example can have, since a
// deployment with it would greet other servers as nobody and wait for mail that cannot come.
import { whyNotPublic } from '#mail/address/reserved-name.ts';
import { type Options, parseOptions, unknownOptions } from './options.ts';

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
  const isTrial = String(context[trialKey]) === 'true';
  const faults = [
    ...unknownOptions(given, trialKey),
    ...(placeholders === 'accepted' || isTrial ? [] : unsetFaults(given)),
    ...(placeholders === 'accepted' ? [] : placeholderFaults(given)),
  ];
  if (faults.length > 0) throw new Error(`cdk options:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
  return parseOptions(given);
}

const needed = { hostname: 'the name that others know the listener by', domains: 'those to receive mail for' } as const;

function unsetFaults(given: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.entries(needed)
    .filter(([key]) => given[key] === undefined)
    .map(([key, what]) => `${key}: is not set: ${what} (to look at the templates only: -c trial=true)`);
}

/** A sentence for each option whose value is a placeholder. */
export function placeholderFaults(given: Readonly<Record<string, unknown>>): readonly string[] {
  const texts = Object.entries(given).flatMap(([key, value]) =>
    [value]
      .flat()
      .flatMap((one) => (typeof one === 'string' ? one.split(/[\s,]+/).map((text) => [key, text] as const) : [])),
  );
  return texts
    .filter(([, text]) => isPlaceholder(text))
    .map(([key, text]) => `${key}: "${text}" is a placeholder: write your own`);
}

/** `mx.example.org`, `ops@your-domain.test`, `REPLACE-ME`, `<name>`. */
function isPlaceholder(text: string): boolean {
  const name = text.slice(text.lastIndexOf('@') + 1).toLowerCase();
  if (name.includes('.') && whyNotPublic(name) !== null) return true;
  return /^<.*>$|^x{3,}$|^(?:replace|change|fill)[-_]?(?:me|this|with|in)\b|^your[-_]|^todo$|^tbd$/i.test(text);
}
