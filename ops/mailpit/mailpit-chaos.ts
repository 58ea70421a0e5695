// Mailpit's chaos triggers over ours: of the faults that there may be, those that refuse a log-in, a sender or a recipient by chance.
import { z } from 'zod';
import { type Answer, isAnswer, json } from '#ops/api/answer.ts';
import { bodyUseCase, useCase } from '#ops/api/use-case.ts';
import { chaosAnswer } from '#ops/chaos.ts';
import type { ChaosChance, ChaosSettings } from '#pipeline/chaos/settings.ts';
import { askJson, type ForeignDeps } from './ask-api.ts';

const usualCode = 451;

const trigger = z.looseObject({
  ErrorCode: z.int().min(400).max(599).default(usualCode),
  Probability: z.int().min(0).max(100).default(0),
});
type Trigger = z.output<typeof trigger>;

const off: Trigger = { ErrorCode: usualCode, Probability: 0 };
/** What is left out is off. */
const triggers = z.looseObject({
  Authentication: trigger.default(off),
  Sender: trigger.default(off),
  Recipient: trigger.default(off),
});

export const mailpitChaos = useCase({
  about: 'Mailpit: the chances of being refused',
  takes: {},
  gives: triggers,
  answer: (deps: ForeignDeps) => shown(deps),
});

/** Faults of other kinds, and at other stages, stay as they are. */
export const mailpitSetChaos = bodyUseCase({
  about: 'Mailpit: set the chances of being refused',
  takes: {},
  body: { schema: triggers, maxBytes: 65_536, mayBeAbsent: true },
  gives: triggers,
  answer: async (deps: ForeignDeps, { body }) => {
    const settings = await settingsOf(deps);
    if (isAnswer(settings)) return settings;
    const before = settings?.stages;
    const stages = {
      ...before,
      auth: withTrigger(before?.auth, body.Authentication),
      mail: withTrigger(before?.mail, body.Sender),
      rcpt: withTrigger(before?.rcpt, body.Recipient),
    };
    const isOn = Object.values(stages).some((chances) => chances.length > 0);
    const readJson = async () => ({ json: { settings: isOn ? { ...settings, stages } : null } });
    const set = await deps.ask({ method: 'PUT', url: '/api/chaos', readJson });
    return set.status >= 400 ? set : shown(deps);
  },
});

type Given = Partial<ChaosChance> & { readonly percent: number };

function withTrigger(chances: readonly ChaosChance[] = [], { ErrorCode, Probability }: Trigger): readonly Given[] {
  const others = chances.filter(({ reply }) => reply === null);
  return Probability === 0 ? others : [...others, { percent: Probability, reply: ErrorCode }];
}

async function shown(deps: ForeignDeps): Promise<Answer> {
  const settings = await settingsOf(deps);
  if (isAnswer(settings)) return settings;
  const { auth = [], mail = [], rcpt = [] } = settings?.stages ?? {};
  return json({ Authentication: triggerOf(auth), Sender: triggerOf(mail), Recipient: triggerOf(rcpt) });
}

function triggerOf(chances: readonly ChaosChance[]): Trigger {
  const refusing = chances.find(({ reply }) => reply !== null);
  return refusing === undefined
    ? off
    : { ErrorCode: refusing.reply ?? usualCode, Probability: Math.round(refusing.percent) };
}

async function settingsOf(deps: ForeignDeps): Promise<ChaosSettings | null | Answer> {
  const answer = await askJson(deps, chaosAnswer, { method: 'GET', url: '/api/chaos' });
  return isAnswer(answer) ? answer : answer.json.settings;
}
