// What a check found, what mends it, and how both are shown.
import { z } from 'zod';
import { plain } from '#cli/command.ts';
import { isDenied } from '#cli/deployment.ts';
import { dnsRecordSchema, recordText } from '#cli/dns/dns-record.ts';
import { errorMessage } from '#mail/problem.ts';

export const findingSchema = z.strictObject({
  /** `missing` keeps mail from working, `advice` makes it work better; `unknown`: it could not be found out. */
  level: z.enum(['ok', 'advice', 'missing', 'unknown']),
  what: z.string(),
  /** To publish in the DNS, as they stand here. */
  records: z.array(dnsRecordSchema).readonly(),
  /** Commands for a shell, in order. */
  run: z.array(z.string()).readonly(),
  /** What else to do or to know, in sentences; it may have lines. */
  hint: z.string().nullable(),
});

export type Finding = Readonly<z.output<typeof findingSchema>>;

/** What mends it; what is left out is not needed. */
export type Mend = Partial<Pick<Finding, 'records' | 'run' | 'hint'>>;

export const ok = (what: string, mend?: Mend): Finding => finding('ok', what, mend);
export const advice = (what: string, mend?: Mend): Finding => finding('advice', what, mend);
export const missing = (what: string, mend?: Mend): Finding => finding('missing', what, mend);
export const unknown = (what: string, mend?: Mend): Finding => finding('unknown', what, mend);

function finding(level: Finding['level'], what: string, { records = [], run = [], hint = null }: Mend = {}): Finding {
  return { level, what, records, run, hint };
}

/** For a secret that could not be used. If AWS does not let whoever runs this read it, nothing is known of it. */
export function unread(what: string, thrown: unknown, mend?: Mend): Finding {
  const isUnknown = isDenied(thrown);
  return isUnknown
    ? advice(`${what}? Not known: these AWS credentials may not read it (${errorMessage(thrown)})`)
    : missing(`${what}: ${errorMessage(thrown)}`, mend);
}

/** As lines for the terminal. Records are those of a zone file. */
export function shownFinding({ level, what, records, run, hint }: Finding): string {
  const word = { ok: 'ok     ', advice: 'advice ', missing: 'MISSING', unknown: 'UNKNOWN' }[level];
  const lines = [
    ...(records.length === 0 ? [] : ['publish:', ...indented(records.map(recordText))]),
    ...(run.length === 0 ? [] : ['run:', ...indented(run)]),
    ...(hint === null ? [] : hint.split('\n')),
  ];
  return [`${word}  ${plain(what)}`, ...lines.map((line) => `           ${plain(line)}`)].join('\n');
}

function indented(texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => text.split('\n')).map((line) => `  ${line}`);
}
