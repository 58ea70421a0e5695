// The events of the log: every name, and what it means. docs/monitoring.md is made of this table.

export const eventTable = {
  // Any process
  started: 'it serves',
  'not-started': 'the container could not start; `error` says why',
  stopping: 'it was told to stop: what is under way is finished',
  stopped: 'it has stopped',
  fatal: 'an error that nobody caught ends the process',
  'config-not-usable': 'the configuration is missing or wrong; the last good one stays in force',
  'config-not-kept': 'the last good configuration, or the history, could not be written; tried ever more seldom',
  'config-kept-again': 'the last good configuration and the history are written again',
  'config-unreadable': 'the configuration could not be looked at',
  'config-permissions-narrowed': 'the configuration file was readable by others; it no longer is',
  'config-not-as-deployed':
    'the configuration says something that the deployment does not do; `problem` says what, and what to do',
  'placeholder-hostname': '`hostname` is still the one of the example',
  // The listener
  'message-accepted': 'a message was stored and answered 250',
  'message-refused': 'a message was refused at its end',
  'store-failed': 'a message could not be stored: the client was told 451',
  'intake-abort-failed': 'the rest of a message that was not taken could not be cleared away',
  'chaos-set': 'chaos was set or turned off; `chaos` says to what',
  'chaos-fault': 'a capture server made a fault on purpose; `why` says who asked for it',
  'connection-refused': 'a connection was refused by a limit',
  'smtp-connection-error': 'a connection broke off',
  'smtp-fault': 'a bug in a session',
  'reverse-name-failed': 'the name of a client could not be looked up',
  'auth-failed': 'a wrong name or password',
  'auth-not-judged': 'too many log-ins from there: nobody looked at the password',
  'user-secret-not-usable': 'the password hash of a user cannot be had',
  'password-hash-old': 'a hash is weaker than today’s; `advice` says what to do',
  'password-hash-renewed': 'a hash was replaced by one of today’s strength',
  'certificate-not-usable': 'the certificate cannot be read or used; `shows` says which is shown instead',
  'certificate-renewed': 'a new certificate is in use',
  // Any stage
  'job-failed': 'a run of a job failed; it comes again after seconds',
  'job-dead': 'a job is a dead letter; its sender is told, if there is one who may be',
  'own-fault': 'a job waits for something of ours to be mended; `reason` says what',
  'job-not-sent-on': 'a job could not be put on its queue; it comes again',
  'job-hidden-longer':
    'a job that failed could not be shown to its queue sooner; it comes after the visibility timeout',
  // authenticate
  'message-judged': 'the verdict on a message, and where it goes',
  'judged-before': 'another run had judged the message and stored its verdict, which holds',
  'judged-again-later': 'the DNS did not answer; the message is judged once more',
  'sent-to-slow-lane': 'the DNS kept a message waiting; it waits on in the slow lane',
  // parse
  'message-stored': 'a message is in inbox/ or quarantine/',
  // deliver
  'delivery-attempt': 'what came of an attempt',
  'delivery-notice': 'a report to the sender: sent, or why not',
  'delivery-given-up': 'a delivery was given up, since its job became a dead letter',
  'delivery-not-recorded': 'an outcome could not be recorded yet',
  'delivery-record-unreadable': 'the record of a delivery that is given up cannot be read',
  'delivery-lease-lost': 'another worker took an attempt over; its result is in `results`',
  'destination-slow': 'a host answers slowly',
  'destination-not-kept': 'what was learnt of a destination could not be stored',
  'port-25-blocked': 'no host answers at port 25: the network lets no mail out',
  'port-25-open-again': 'hosts answer at port 25 again',
  'receiver-in-trouble': 'a domain refuses so much that its addresses are not suppressed',
  // notify
  'hook-told':
    'a hook took a message; `status`: what a webhook answered, `output`: the beginning of what a program of this machine wrote',
  'hook-failed': 'a hook did not take a message; `reason` says why, `next` when it is tried again',
  'hook-mail-deleted':
    'the message was deleted before its hook was told, by a person or since its time was over: the hook is not told',
  'hook-gone': 'a hook wants no more (410), or is no longer in the configuration: it is not told of this message',
  // One machine
  'lease-failed': 'jobs could not be taken off a queue; tried again',
  'answer-not-kept': 'the end of a run could not be noted; tried again',
  'body-damaged': 'a stored file is missing or altered',
  'bodies-damaged': 'how many files are',
  'expired-mail-deleted': 'mail over its retention was deleted',
  'expired-mail-not-deleted': 'mail over its retention could not be deleted',
  'poll-failed': 'the emulator’s queue could not be asked',
  'invocation-failed': 'a function threw, or was over its time',
  'config-not-shipped': 'the configuration could not be put where the functions read it',
  // The ops API
  'ops-api-failed': 'a request ended in a bug',
  'ops-token-refused': 'requests with a wrong token, by address',
  'ops-connections-closed': 'connections closed to make room, by address',
  'ops-events-listener': 'somebody listens to the events',
  'ops-event-lost': 'an event could not be told to those who listen',
} as const;

export type EventName = keyof typeof eventTable;

export function isEventName(name: unknown): name is EventName {
  return typeof name === 'string' && Object.hasOwn(eventTable, name);
}
