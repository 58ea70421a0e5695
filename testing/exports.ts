// What tests import from `pillarbox/testing`.
export { type ConnectOptions, connectMail, type Mail, type Mailbox } from './connect-mail.ts';
export { isMailTimeout, type MailTimeout } from './mail-timeout.ts';
export { type MailServer, type StartOptions, startMail } from './start-mail.ts';
export type { TestAddress, TestAttachment, TestHeaders, TestMessage } from './test-message.ts';
export type { Wanted } from './wait-for.ts';
