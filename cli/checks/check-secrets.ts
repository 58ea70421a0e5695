// Checks the secrets that no other check reads: of the relay, of hooks, and of addresses that are rewritten (SRS).
import { join } from 'node:path';
import { isProblem } from '#mail/problem.ts';
import type { Config } from '#pipeline/config/config.ts';
import { secretReference } from '#pipeline/config/secret-reference.ts';
import type { Secrets } from '#pipeline/contract/ports.ts';
import { webhookKey } from '#pipeline/contract/webhook-signature.ts';
import { type Finding, type Mend, unread } from './finding.ts';

type SecretsCheck = {
  readonly secrets: Secrets;
  readonly isReadable: (reference: string) => boolean;
  readonly mend: (reference: string) => Mend;
};

/** How a secret is put where a reference says: of a deployment, or of this machine. `folder`: where `secret:NAME` is. */
export function secretMend(reference: string, { stack, folder }: { stack: string | null; folder: string }): Mend {
  const [, kind, name = ''] = /^(\w+):(.*)$/.exec(reference) ?? [];
  if (stack !== null) {
    const make = (verb: string, by: string): string =>
      `aws secretsmanager ${verb} ${by} ${stack}/${name} --secret-string file://secret.txt`;
    const hint = `If ${stack}/${name} is not there yet: ${make('create-secret', '--name')}`;
    return { run: [make('put-secret-value', '--secret-id')], hint };
  }
  if (kind === 'env') return { hint: `Set the variable ${name} where the server is started.` };
  const path = kind === 'secret' ? join(folder, name) : name;
  return { hint: `Write the secret into ${path}, which its owner alone should be able to read (chmod 600).` };
}

/** `isReadable`: whether what uses a reference can read it at all; where it cannot there is a finding already. */
export async function checkSecrets(
  { delivery, hooks, srsSecret }: Config,
  { secrets, isReadable, mend }: SecretsCheck,
): Promise<readonly Finding[]> {
  const relay = delivery.mode === 'smarthost' ? delivery.smarthost : null;
  const used = [
    { at: 'delivery.smarthost.password', reference: relay?.password ?? null, isKey: false },
    ...hooks.map(({ name, secret }) => ({ at: `hooks, ${name}.secret`, reference: secret ?? null, isKey: true })),
    ...hooks.flatMap(({ name, environment }) =>
      Object.entries(environment)
        .filter(([, value]) => secretReference.safeParse(value).success)
        .map(([variable, reference]) => ({ at: `hooks, ${name}.environment.${variable}`, reference, isKey: false })),
    ),
    { at: 'srsSecret', reference: srsSecret, isKey: false },
  ];
  const findings = used.map(async ({ at, reference, isKey }): Promise<readonly Finding[]> => {
    if (reference === null || !isReadable(reference)) return [];
    try {
      const secret = await secrets.read(reference);
      const key = isKey ? webhookKey(secret) : null;
      if (isProblem(key)) throw new Error(key.problem);
      return [];
    } catch (thrown) {
      return [unread(`${at} cannot be used`, thrown, mend(reference))];
    }
  });
  return (await Promise.all(findings)).flat();
}
