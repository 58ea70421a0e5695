// Jim, the chaos monkey of MailHog, over our chaos (its documentation, "Jim"): its chances are from 0 to 1. How fast a link
// is (LinkSpeed…) it cannot say here.
import { z } from 'zod';
import { type Answer, isAnswer, json, notFound } from '#ops/api/answer.ts';
import type { Route } from '#ops/api/route.ts';
import { bodyUseCase, useCase } from '#ops/api/use-case.ts';
import { chaosAnswer } from '#ops/chaos.ts';
import type { ChaosChance, ChaosSettings } from '#pipeline/chaos/settings.ts';
import { askJson, type ForeignDeps } from './ask-api.ts';

const chance = (usual: number) => z.number().min(0).max(1).default(usual);

/** As MailHog has it where nothing is given. */
const jimSchema = z.looseObject({
  DisconnectChance: chance(0.005),
  AcceptChance: chance(0.99),
  RejectSenderChance: chance(0.05),
  RejectRecipientChance: chance(0.05),
  RejectAuthChance: chance(0.05),
});
type Jim = z.output<typeof jimSchema>;

const show = useCase({
  about: 'MailHog: the chances of Jim; 404 while he is off',
  takes: {},
  gives: jimSchema,
  answer: async (deps: ForeignDeps) => {
    const answer = await askJson(deps, chaosAnswer, { method: 'GET', url: '/api/chaos' });
    if (isAnswer(answer)) return answer;
    const { settings } = answer.json;
    return settings === null ? notFound('Jim is off') : json(jimOf(settings));
  },
});

const set = (status: number) =>
  bodyUseCase({
    about: 'MailHog: let Jim loose',
    takes: {},
    body: { schema: jimSchema, maxBytes: 65_536, mayBeAbsent: true },
    gives: 'text/plain',
    status,
    answer: (deps: ForeignDeps, { body }) => put(deps, settingsOf(body), status),
  });

const off = useCase({
  about: 'MailHog: call Jim back',
  takes: {},
  gives: 'text/plain',
  answer: (deps: ForeignDeps) => put(deps, null, 200),
});

export const jimRoutes: readonly Route<ForeignDeps>[] = [
  { at: 'GET /api/v2/jim', does: show },
  { at: 'POST /api/v2/jim', does: set(201) },
  { at: 'PUT /api/v2/jim', does: set(200) },
  { at: 'DELETE /api/v2/jim', does: off },
];

async function put({ ask }: ForeignDeps, settings: unknown, status: number): Promise<Answer> {
  const readJson = async () => ({ json: { settings } });
  const answer = await ask({ method: 'PUT', url: '/api/chaos', readJson });
  return answer.status < 400 ? { status, headers: { 'content-type': 'text/plain' }, body: '' } : answer;
}

function settingsOf(jim: Jim) {
  const one = (share: number, done: { readonly reply: number } | { readonly drop: true }) =>
    share > 0 ? [{ percent: Math.round(share * 1e4) / 100, ...done }] : [];
  return {
    stages: {
      connect: one(1 - jim.AcceptChance, { drop: true }),
      auth: one(jim.RejectAuthChance, { reply: 535 }),
      mail: one(jim.RejectSenderChance, { reply: 550 }),
      rcpt: one(jim.RejectRecipientChance, { reply: 550 }),
      data: one(jim.DisconnectChance, { drop: true }),
    },
  };
}

function jimOf({ stages }: ChaosSettings): Jim {
  const share = (chances: readonly ChaosChance[], isOne: (chance: ChaosChance) => boolean): number =>
    (chances.find(isOne)?.percent ?? 0) / 100;
  const refuses = ({ reply }: ChaosChance): boolean => reply !== null;
  const drops = ({ drop }: ChaosChance): boolean => drop;
  return {
    DisconnectChance: share(stages.data, drops),
    AcceptChance: 1 - share(stages.connect, drops),
    RejectSenderChance: share(stages.mail, refuses),
    RejectRecipientChance: share(stages.rcpt, refuses),
    RejectAuthChance: share(stages.auth, refuses),
  };
}
