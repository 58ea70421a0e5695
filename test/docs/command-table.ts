// What becomes of each command of the documentation in the test, and what its placeholders stand for. A command that fits no row, or
// two, fails: whoever writes one says here whether it can be run without an account, and if not, why.

export type CommandRow = { readonly is: RegExp } & (
  | { readonly kind: 'run' }
  /** Cannot run here; its syntax is checked. */
  | { readonly kind: 'account'; readonly why: string }
  /** `by`: the file that runs it; it says `says`. */
  | { readonly kind: 'elsewhere'; readonly by: string; readonly says: RegExp }
  /** Of package.json: there is one of that name. What is long has a command of its own, which CI or a person runs. */
  | { readonly kind: 'script' }
  /** A command spoken of by its name alone: there is one of that name. */
  | { readonly kind: 'name' }
);

export const commandTable: readonly CommandRow[] = [
  { is: /\baws [a-z]/, kind: 'account', why: 'asks AWS, with the credentials of an account' },
  { is: /^rm srs\.txt$/, kind: 'account', why: 'removes what a command that asks AWS has written' },
  { is: /^npx cdk (?:bootstrap|deploy|destroy)\b/, kind: 'account', why: 'makes resources in an account' },
  { is: /^(?:claude|codex) mcp add /, kind: 'account', why: 'needs the agent itself' },
  { is: /^docker /, kind: 'account', why: 'needs Docker, and on another processor the right to emulate' },
  {
    is: /^swaks --server (?:mx\.example\.org|HOSTNAME) /,
    kind: 'account',
    why: 'talks to a listener that is deployed',
  },

  { is: /^npm start\b/, kind: 'elsewhere', by: 'test/local/npm-start.test.ts', says: /'start'/ },
  {
    is: /^(?:npx )?pillarbox(?: start|(?: --(?:chaos|data|smtp|http|settings) \S+)+|)$/,
    kind: 'elsewhere',
    by: 'test/support/packages/strangers.ts',
    says: /'--smtp', '0', '--http'/,
  },
  { is: /^npm ci$/, kind: 'elsewhere', by: 'local/set-up.js', says: /'ci'/ },
  { is: /^npm pack\b/, kind: 'elsewhere', by: 'test/support/packages/fresh-app.ts', says: /'pack'/ },
  {
    is: /^npm install (?:--save-dev )?(?:\.\.\/pillarbox\/|node@24$)/,
    kind: 'elsewhere',
    by: 'test/support/packages/fresh-app.ts',
    says: /'install'/,
  },
  {
    is: /^cdk init app --language typescript$/,
    kind: 'elsewhere',
    by: 'test/packages/installed.ts',
    says: /'init', 'app'/,
  },
  {
    is: /^node local\/publish-schemas\.ts$/,
    kind: 'elsewhere',
    by: 'test/local/json-schemas.test.ts',
    says: /publish-schemas\.ts/,
  },
  { is: /^npx cdk$/, kind: 'elsewhere', by: 'package.json', says: /"aws-cdk": / },
  { is: /^npm (?:test|run \S+)/, kind: 'script' },

  {
    is: /^(?:npx )?pillarbox (?:check|config (?:push|restore)|dkim new|domain add|init|mcp|redrive|send|user add)$/,
    kind: 'name',
  },
  {
    is: /^(?:npx )?pillarbox (?!start$|--(?!help)|(?:check|config (?:push|restore)|dkim new|domain add|init|mcp|redrive|send|user add)$)/,
    kind: 'run',
  },
  { is: /^(?:curl '?http:\/\/127|swaks --server 127|sed |sha256sum |export AWS_REGION)/, kind: 'run' },
];

/** What a placeholder stands for here. `stack` commands ask the deployment, all others the local server. */
export type Places = {
  readonly mxPort: number;
  readonly http: string;
  readonly localId: string;
  readonly stackId: string;
  readonly folder: string;
};

/** The emulator plays one region; the second one is a bucket of its own in it. */
export const regions = { 'eu-central-1': 'us-east-1', 'eu-west-1': 'eu-west-1' } as const;

export function substituted(text: string, places: Places): string {
  const isStack = text.includes('--stack');
  const table: readonly (readonly [RegExp, string])[] = [
    [/\bretry ID DOMAIN$/, `retry ${places.stackId} far.example --stack pillarbox`], // in a capture server nothing waits
    [/--stack NAME\b/, '--stack pillarbox'],
    [/\buser password NAME\b/, `user password ${isStack ? 'site' : 'app'}@example.org`],
    [/\beu-central-1\b/g, regions['eu-central-1']],
    [/\bREGION\b/g, regions['eu-central-1']],
    [/\bID\b/g, isStack ? places.stackId : places.localId],
    [/\bDOMAIN\b/, 'example.org'],
    [/\bQUEUE\b/, 'deliver'],
    [/\bVERSION\b/, 'last-good'],
    [/127\.0\.0\.1:2525\b/, `127.0.0.1:${places.mxPort}`],
    [/http:\/\/127\.0\.0\.1:8025\b/, places.http],
    [/(?<= )\/backups\//, `${places.folder}/backups-`],
    [/^(?=sha256sum )/, `cd ${places.folder}/backups-2026-11-26 && `], // "in the folder" says the sentence
    [/(?<= list) --data \.pillarbox-2\b/, ' --data .pillarbox'], // the one that runs
    [/(?<=restore .*) --data \.pillarbox\b/, ' --data restored'], // the local server is running on the other one
  ];
  return table.reduce((so, [placeholder, value]) => so.replace(placeholder, value), text);
}

/** What a command answers, by its exit code (0) and what it prints. The first row that fits holds. `behind`: the command before it. */
export const claims: readonly {
  readonly of: RegExp;
  readonly behind?: RegExp;
  readonly exit?: number;
  readonly prints?: RegExp;
}[] = [
  {
    of: /pillarbox check/,
    behind: /create-email-identity/,
    exit: 3,
    prints: /^ *t1\._domainkey\.example\.org\. CNAME [\s\S]*^ *t3\._domainkey\.example\.org\. CNAME /m,
  },
  {
    of: /pillarbox check/,
    behind: /mail-from-attributes/,
    exit: 3,
    prints: /bounce\.example\.org\. MX 10 feedback-smtp/,
  },
  { of: /pillarbox check/, exit: 3, prints: /^MISSING/m }, // nothing is published in the DNS of this test
  {
    of: /pillarbox dkim new .*--stack/,
    prints: /secrets pillarbox\/dkim-example\.org-\S+-rsa and [\s\S]*TXT "v=DKIM1; k=ed25519/,
  },
  { of: /pillarbox config edit/, prints: /in force within 30 seconds/ },
  { of: /pillarbox config history/, prints: /^current .*\nlast-good /m },
  { of: /pillarbox backup/, prints: /Backed up and checked/ },
  { of: /pillarbox list/, prints: /^[0-9A-Z]{26} .*support@/m },
  {
    of: /pillarbox trace .*--stack/,
    prints: /^\S+ {2}logged by listener: message-accepted$[\s\S]*^now: stored as inbox\/(?![\s\S]*^note)/m,
  },
  { of: /pillarbox trace/, prints: /^now: stored as inbox\//m },
  { of: /pillarbox delete .*--stack/, prints: /^deleted: 1 message$/m },
  { of: /pillarbox mark .*--stack/, prints: /^it is read$/m },
  { of: /pillarbox tag .*--stack/, prints: /^tags: urgent$/m },
  { of: /pillarbox queues/, prints: /^received +\d/m },
  { of: /pillarbox send/, prints: /^[0-9A-Z]{26}\n$/ },
];
