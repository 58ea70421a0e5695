// What an Authentication-Results field says of a message: each check, its verdict and what was checked (RFC 8601 §2.7).
import type { Result } from '#mail/header/authentication-results.ts';
import type { Authentication } from '#pipeline/contract/jobs.ts';
import type { SpfVerdict } from './judge-spf.ts';

type Verdicts = Pick<Authentication, 'spf' | 'dkim' | 'dmarc' | 'arc'>;

/** What was checked, beside the verdicts. */
export type Checked = {
  readonly helo: string | null;
  readonly heloVerdict: SpfVerdict | null;
  /** Whether the SPF verdict is that of the HELO name (the reverse-path was empty). */
  readonly isNullReversePath: boolean;
};

/** SPF, each DKIM signature, DMARC, and ARC if there is a chain. */
export function listResults(checked: Checked, { spf, dkim, dmarc, arc }: Verdicts): readonly Result[] {
  const dmarcProperties = [
    ['policy.dmarc', dmarc.policy],
    ['header.from', dmarc.domain],
  ] as const;
  return [
    ...spfResults(checked, spf),
    ...dkimResults(dkim),
    { method: 'dmarc', ...words(dmarc), properties: dmarcProperties },
    ...(arc.result === 'none' ? [] : [{ method: 'arc', ...words(arc), properties: [] } as const]),
  ];
}

function spfResults({ helo, heloVerdict, isNullReversePath }: Checked, spf: SpfVerdict): Result[] {
  const name = isNullReversePath ? 'smtp.helo' : 'smtp.mailfrom';
  const sender: Result = { method: 'spf', ...words(spf), properties: [[name, spf.domain]] };
  if (heloVerdict === null) return [sender];
  return [sender, { method: 'spf', ...words(heloVerdict), properties: [['smtp.helo', helo]] }];
}

function dkimResults(dkim: Authentication['dkim']): Result[] {
  return dkim.map((verdict) => ({
    method: 'dkim',
    ...words(verdict),
    properties: [
      ['header.d', verdict.domain],
      ['header.s', verdict.selector],
      ['header.a', verdict.algorithm],
    ],
  }));
}

function words({ result, reason }: { readonly result: string; readonly reason: string }) {
  return { result, reason };
}
