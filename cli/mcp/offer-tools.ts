// Which tools an agent is offered: those that work with the server that runs. Another server may run later, so the agent is told when it
// turns out that the list that it has is not right any more.
import type { MailTool } from './mail-tool.ts';
import type { ServerMode } from './server-mode.ts';

export type ToolOffer = {
  /** What the agent gets that asks for the tools. */
  readonly list: (mode: ServerMode | null) => readonly MailTool[];
  /** Whether the agent's list is not right, by what is known now; true once, until it has asked again. */
  readonly isOutdatedBy: (mode: ServerMode | null) => boolean;
};

/** While no server tells its mode, all tools are offered: the one that is started next is most likely a capture server. */
export function offerTools(tools: readonly MailTool[]): ToolOffer {
  let told: 'nothing' | 'all' | 'reading' = 'nothing';
  return {
    list: (mode) => {
      told = mode === 'serve' ? 'reading' : 'all';
      return tools.filter(({ isForCapture }) => told === 'all' || !isForCapture);
    },
    isOutdatedBy: (mode) => {
      const isOutdated = (told === 'all' && mode === 'serve') || (told === 'reading' && mode === 'capture');
      if (isOutdated) told = 'nothing';
      return isOutdated;
    },
  };
}
