// What a finding of `check` says to do, as one text: records as in a zone file, commands, the hint.
import type { Finding } from '#cli/checks/finding.ts';
import { recordText } from '#cli/dns/dns-record.ts';

export function mendText({ records, run, hint }: Pick<Finding, 'records' | 'run' | 'hint'>): string {
  return [...records.map(recordText), ...run, ...(hint === null ? [] : [hint])].join('\n');
}
