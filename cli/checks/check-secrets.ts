// Checks the secrets that no other check reads: of the relay, of hooks, and of addresses that are rewritten (SRS).
import { isProblem } from '#mail/problem.ts';
import type { Config } from '#pipeline/config/config.ts';
import { secretReference } from '#pipeline/config/secret-reference.ts';
import type { Secrets } from '#pipeline/contract/ports.ts';
import { webhookKey } from '#pipeline/contract/webhook-signature.ts';
import { type Finding, unread } from './finding.ts';

/** `isReadable`: whether what uses a reference can read it at all; where it cannot there is a finding already. */
export async function checkSecrets(
  { delivery, hooks, srsSecret }: Config,
  { secrets, isReadable }: { readonly secrets: Secrets; readonly isReadable: (reference: string) => boolean },
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
      return [unread(`${at} cannot be used`, thrown)];
    }
  });
  return (await Promise.all(findings)).flat();
}
