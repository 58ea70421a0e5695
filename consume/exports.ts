// What a program of yours imports from `pillarbox`: the inbox message, its reader, and the webhook's verifier.
export { type MailEvent, mailEventSchema } from '#pipeline/contract/mail-event.ts';
export { type InboxMessage, inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';
export type { MailObjects } from './default-s3.ts';
export type { StoredAt } from './find-mail.ts';
export { type Mail, type ReadMailOptions, readMail } from './read-mail.ts';
export {
  isWebhookError,
  type VerifiedWebhook,
  verifyWebhook,
  type WebhookCheck,
  type WebhookError,
  type WebhookRequest,
} from './verify-webhook.ts';
