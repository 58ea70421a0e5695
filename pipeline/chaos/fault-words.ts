// Chaos in words, as people write it: `rcpt-451-10%` or `slow-5s-data` for a setting, `later-451-twice@example.test` for an address.
// The words of a fault stand in any order with hyphens between them. What they mean to a session is container/chaos.
import { isProblem, type Problem, problem } from '#mail/problem.ts';
import { type ChaosChance, type ChaosSettings, type ChaosStage, chaosSchema, chaosStages } from './settings.ts';

/** A fault that an address asks for; `times` null: each time. */
export type AskedFault = Omit<ChaosChance, 'percent'> & { readonly stage: ChaosStage; readonly times: number | null };

type Draft = {
  act?: 'bounce' | 'later' | 'slow' | 'drop';
  stage?: ChaosStage;
  reply?: number;
  enhanced?: string;
  delaySeconds?: number;
  percent?: number;
  times?: number;
};

const defaultDelaySeconds = 10;
const counts = new Map([
  ['once', 1],
  ['twice', 2],
  ['thrice', 3],
]);

/** `on`, `seed-7` and faults, with commas or spaces between them: `rcpt-451-10%, slow-5s-data-20%, drop-connect-5%`. */
export function parseChaos(text: string): ChaosSettings | Problem {
  const stages: Partial<Record<ChaosStage, ChaosChance[]>> = {};
  let seed: number | null = null;
  for (const item of text.split(/[\s,]+/).filter((word) => word !== '' && word !== 'on')) {
    const [, digits] = /^seed-(\d{1,15})$/.exec(item) ?? [];
    if (digits !== undefined) {
      seed = Number(digits);
      continue;
    }
    const fault = readFault(item);
    if (isProblem(fault)) return fault;
    if (fault.times !== undefined) return problem(`${item}: how often goes with addresses; here it is a chance (10%)`);
    const { stage = 'rcpt', percent = 100 } = fault;
    stages[stage] = [...(stages[stage] ?? []), { percent, ...doneBy(fault) }];
  }
  const read = chaosSchema.safeParse({ seed, stages });
  if (read.success) return read.data;
  const [{ path, message } = { path: [], message: 'something else was expected' }] = read.error.issues;
  return problem(`${path.slice(1, 2).concat('').join(': ')}${message}`);
}

/** The same, or `off`: no chaos, whatever was set before. */
export function parseChaosWords(text: string): ChaosSettings | 'off' | Problem {
  return text.trim().toLowerCase() === 'off' ? 'off' : parseChaos(text);
}

/** The settings in words, `on` alone if there is no chance. {@link parseChaos} reads it. */
export function formatChaos({ seed, stages }: ChaosSettings): string {
  const faults = chaosStages.flatMap((stage) => stages[stage].map((chance) => formatChance(stage, chance)));
  const words = [...faults, ...(seed === null ? [] : [`seed-${seed}`])];
  return words.length === 0 ? 'on' : words.join(' ');
}

function formatChance(stage: ChaosStage, { percent, delaySeconds, reply, enhanced, drop }: ChaosChance): string {
  const words = [
    ...(drop ? ['drop'] : delaySeconds > 0 ? ['slow'] : []),
    ...(delaySeconds > 0 ? [secondsText(delaySeconds)] : []),
    stage,
    ...(reply === null ? [] : [String(reply)]),
    ...(enhanced === null ? [] : [enhanced]),
    `${percent}%`,
  ];
  return words.join('-');
}

/** `10s`, or `500ms`. */
function secondsText(seconds: number): string {
  return Number.isInteger(seconds) ? `${seconds}s` : `${Math.round(seconds * 1_000)}ms`;
}

/**
 * The fault that an address asks for by its local part (without its `+tag`), or null if it is an address like any other. The first
 * word must be one of `bounce`, `later`, `slow`, `drop`, or a stage, so that names of people are none.
 */
export function askedFault(localPart: string): AskedFault | null {
  const [name = ''] = localPart.split('+');
  const [first = ''] = name.toLowerCase().split('-');
  if (!isAct(first) && !isStage(first)) return null;
  const fault = readFault(name);
  if (isProblem(fault) || fault.percent !== undefined) return null;
  const { stage = 'rcpt', times = null } = fault;
  const done = doneBy(fault);
  return isPossible(done) ? { ...done, stage, times } : null;
}

function isPossible(done: Omit<ChaosChance, 'percent'>): boolean {
  return chaosSchema.safeParse({ stages: { rcpt: [done] } }).success;
}

function doneBy({ act, reply, enhanced, delaySeconds }: Draft): Omit<ChaosChance, 'percent'> {
  const usual = act === 'bounce' ? 550 : act === 'later' ? 451 : null;
  return {
    delaySeconds: delaySeconds ?? (act === 'slow' ? defaultDelaySeconds : 0),
    reply: reply ?? usual,
    enhanced: enhanced ?? null,
    drop: act === 'drop',
  };
}

function readFault(text: string): Draft | Problem {
  let fault: Draft = {};
  for (const word of text.toLowerCase().split('-')) {
    const read = readWord(word);
    if (isProblem(read)) return problem(`${text}: ${read.problem}`);
    if (Object.keys(read).some((name) => Object.hasOwn(fault, name))) {
      return problem(`${text}: "${word}" says a second time what another word says`);
    }
    fault = { ...fault, ...read };
  }
  const { act, reply } = fault;
  const code = String(reply ?? '').charAt(0);
  if ((act === 'bounce' && code === '4') || (act === 'later' && code === '5')) {
    return problem(`${text}: bounce goes with a code from 500 to 599, later with one from 400 to 499`);
  }
  return fault;
}

function readWord(word: string): Draft | Problem {
  if (isAct(word)) return { act: word };
  if (isStage(word)) return { stage: word };
  const times = counts.get(word);
  if (times !== undefined) return { times };
  const [, number = '', unit] = /^(\d{1,5}(?:\.\d{1,6})?)(ms|s|x|%)?$/.exec(word) ?? [];
  switch (unit) {
    case 'ms':
      return { delaySeconds: Number(number) / 1_000 };
    case 's':
      return { delaySeconds: Number(number) };
    case '%':
      return { percent: Number(number) };
    case 'x':
      if (/^[1-9]\d{0,2}$/.test(number)) return { times: Number(number) };
      break;
    case undefined:
      if (/^[45]\d\d$/.test(word)) return { reply: Number(word) };
      if (/^[45]\.\d{1,3}\.\d{1,3}$/.test(word)) return { enhanced: word };
  }
  return problem(
    `"${word.slice(0, 40)}" is none of bounce, later, slow, drop; ${chaosStages.join(', ')}; a reply code from 400 to 599 (452), an enhanced code (4.2.2), a time (10s), a chance (10%)`,
  );
}

function isAct(word: string): word is NonNullable<Draft['act']> {
  return word === 'bounce' || word === 'later' || word === 'slow' || word === 'drop';
}

function isStage(word: string): word is ChaosStage {
  return chaosStages.some((stage) => stage === word);
}
