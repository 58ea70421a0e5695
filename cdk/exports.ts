// What an app of yours imports from `pillarbox/cdk`.
export type { InboxNotification } from '#cdk/data/inbox-notifications.ts';
export { MailRule, type MailRuleProps, type MailTarget } from './mail-rule.ts';
export { Pillarbox, type PillarboxProps } from './pillarbox.ts';
