// All commands, in the order `pillarbox --help` shows them.
import { addressCommands } from '#cli/commands/addresses.ts';
import { backup, restore } from '#cli/commands/backup.ts';
import { chaosCommands } from '#cli/commands/chaos.ts';
import { check } from '#cli/commands/check.ts';
import { completionCommand } from '#cli/commands/completion.ts';
import { configCommands } from '#cli/commands/config.ts';
import { deliveryCommands } from '#cli/commands/deliveries.ts';
import { dkimNew } from '#cli/commands/dkim-new.ts';
import { domainAdd } from '#cli/commands/domain-add.ts';
import { init } from '#cli/commands/init.ts';
import { messageCommands } from '#cli/commands/messages/message-commands.ts';
import { queueCommands } from '#cli/commands/queues.ts';
import { removeCommands } from '#cli/commands/remove-addresses.ts';
import { send } from '#cli/commands/send.ts';
import { settings } from '#cli/commands/settings.ts';
import { suppressionCommands } from '#cli/commands/suppressions.ts';
import { userAdd } from '#cli/commands/user-add.ts';
import { userCommands } from '#cli/commands/users.ts';
import { mcp } from '#cli/mcp/mcp.ts';
import type { Command } from './command.ts';

const all: readonly Command[] = [
  init,
  check,
  domainAdd,
  ...addressCommands,
  ...removeCommands,
  userAdd,
  ...userCommands,
  dkimNew,
  ...configCommands,
  settings,
  send,
  ...messageCommands,
  ...queueCommands,
  ...deliveryCommands,
  ...suppressionCommands,
  ...chaosCommands,
  mcp,
  backup,
  restore,
];

export const commands: readonly Command[] = [...all, completionCommand(() => commands)];
