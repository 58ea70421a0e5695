// All tools, in the order that an agent sees them.
import type { MailTool } from '#cli/mcp/mail-tool.ts';
import { explainMessage } from './explain-message.ts';
import { listDeliveries } from './list-deliveries.ts';
import { listLinks } from './list-links.ts';
import { listMessages } from './list-messages.ts';
import { readAttachment } from './read-attachment.ts';
import { readMessage } from './read-message.ts';
import { sendMessage } from './send-message.ts';
import { waitForMessage } from './wait-for-message.ts';

export const mailTools: readonly MailTool[] = [
  waitForMessage,
  listMessages,
  readMessage,
  listLinks,
  readAttachment,
  explainMessage,
  listDeliveries,
  sendMessage,
];
