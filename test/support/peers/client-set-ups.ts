// How the usual mail programs and libraries are set up for a server of which only host and port are known, each with its own
// defaults: what a developer copies out of docs/clients.md, which is written from here. `with a login` marks the lines that
// a set-up with a name and a password has more.

/** A set-up as text, for `{port}` and `{subject}` filled in. */
export type ClientSetUp = {
  readonly client: string;
  /** What is set beside host and port, in a few words; nothing: the client's defaults. */
  readonly settings: string;
  /** Programs, and files of Debian packages, that it needs. */
  readonly needs: readonly string[];
  readonly language: 'js' | 'python' | 'php' | 'ruby' | 'perl' | 'sh';
  readonly withLogin: string;
  readonly withoutLogin: string;
};

const marker = / *(?:\/\/|#) with a login$/;

/** A set-up whose log-in stands on lines of its own. */
function program(set: Omit<ClientSetUp, 'withLogin' | 'withoutLogin'> & { readonly text: string }): ClientSetUp {
  const { text, ...facts } = set;
  const lines = text.trim().split('\n');
  return {
    ...facts,
    withLogin: lines.join('\n'),
    withoutLogin: lines.filter((line) => !marker.test(line)).join('\n'),
  };
}

const message = "from: 'ann@sender.example', to: 'bob@receiver.example', subject: '{subject}', text: 'Hello'";
const phpMailer = '/usr/share/php/libphp-phpmailer/autoload.php';
const mailFile = `printf 'From: ann@sender.example\\nTo: bob@receiver.example\\nSubject: {subject}\\n\\nHello\\n'`;
const swaks = 'swaks --server 127.0.0.1 --port {port} --from ann@sender.example --to bob@receiver.example';
const curl =
  '| curl -sS --crlf smtp://127.0.0.1:{port} --mail-from ann@sender.example --mail-rcpt bob@receiver.example -T -';
const ruby = (settings: string): string => `
require 'mail'
mail = Mail.new(from: 'ann@sender.example', to: 'bob@receiver.example', subject: '{subject}', body: 'Hello')
mail.delivery_method :smtp, {
  address: '127.0.0.1',
  port: {port},
  user_name: 'app', # with a login
  password: 'any password', # with a login
${settings}}
mail.deliver
`;

/** All of them, in the order of the documentation. */
export const clientSetUps: readonly ClientSetUp[] = [
  program({
    client: 'nodemailer',
    settings: '',
    needs: [],
    language: 'js',
    text: `
import nodemailer from 'nodemailer';
const transport = nodemailer.createTransport({
  host: '127.0.0.1',
  port: {port},
  auth: { user: 'app', pass: 'any password' }, // with a login
});
await transport.sendMail({ ${message} });
`,
  }),
  {
    client: 'nodemailer',
    settings: 'a URL',
    needs: [],
    language: 'js',
    ...variants(
      (login) => `import nodemailer from 'nodemailer';
const transport = nodemailer.createTransport('smtp://${login ? 'app:any%20password@' : ''}127.0.0.1:{port}');
await transport.sendMail({ ${message} });`,
    ),
  },
  program({
    client: 'emailjs',
    settings: '',
    needs: [],
    language: 'js',
    text: `
import { SMTPClient } from 'emailjs';
const client = new SMTPClient({
  host: '127.0.0.1',
  port: {port},
  user: 'app', // with a login
  password: 'any password', // with a login
});
await client.sendAsync({ ${message} });
`,
  }),
  program({
    client: 'Python smtplib',
    settings: '',
    needs: ['python3'],
    language: 'python',
    text: `
import smtplib
from email.message import EmailMessage
message = EmailMessage()
message['From'] = 'ann@sender.example'
message['To'] = 'bob@receiver.example'
message['Subject'] = '{subject}'
message.set_content('Hello')
with smtplib.SMTP('127.0.0.1', {port}) as server:
    server.login('app', 'any password') # with a login
    server.send_message(message)
`,
  }),
  {
    client: 'curl',
    settings: '',
    needs: ['curl'],
    language: 'sh',
    ...variants((login) => `${mailFile} ${curl}${login ? " --user 'app:any password'" : ''}`),
  },
  {
    client: 'curl',
    settings: '`--ssl` (TLS where it is offered)',
    needs: ['curl'],
    language: 'sh',
    ...variants((login) => `${mailFile} ${curl} --ssl${login ? " --user 'app:any password'" : ''}`),
  },
  {
    client: 'swaks',
    settings: '',
    needs: ['swaks'],
    language: 'sh',
    ...variants(
      (login) =>
        `${swaks} --header 'Subject: {subject}'${login ? " --auth-user app --auth-password 'any password'" : ''}`,
    ),
  },
  {
    client: 'swaks',
    settings: '`--tls-optional`, `--auth LOGIN`',
    needs: ['swaks'],
    language: 'sh',
    ...variants(
      (login) =>
        `${swaks} --tls-optional --header 'Subject: {subject}'${login ? " --auth LOGIN --auth-user app --auth-password 'any password'" : ''}`,
    ),
  },
  ...(['plain', 'cram-md5'] as const).map((auth) => ({
    client: 'msmtp',
    // "auth on" is refused by msmtp itself without TLS, whatever a server offers.
    settings: `\`auth ${auth}\``,
    needs: ['msmtp'],
    language: 'sh' as const,
    ...variants(
      (login) =>
        `${mailFile} | msmtp --file=/dev/null --host=127.0.0.1 --port={port} --from=ann@sender.example${login ? ` --auth=${auth} --user=app --passwordeval='echo any password'` : ''} bob@receiver.example`,
    ),
  })),
  program({
    client: 'PHPMailer',
    settings: '',
    needs: ['php', phpMailer],
    language: 'php',
    text: `
require '${phpMailer}';
$mail = new PHPMailer\\PHPMailer\\PHPMailer(true);
$mail->isSMTP();
$mail->Host = '127.0.0.1';
$mail->Port = {port};
$mail->SMTPAuth = true; // with a login
$mail->Username = 'app'; // with a login
$mail->Password = 'any password'; // with a login
$mail->setFrom('ann@sender.example');
$mail->addAddress('bob@receiver.example');
$mail->Subject = '{subject}';
$mail->Body = 'Hello';
$mail->send();
`,
  }),
  program({
    client: 'Ruby mail',
    settings: '',
    needs: ['ruby', '/usr/lib/ruby/vendor_ruby/mail.rb'],
    language: 'ruby',
    text: ruby(''),
  }),
  program({
    client: 'Ruby mail',
    settings: 'as Rails has it: `enable_starttls_auto`, `authentication: :plain`',
    needs: ['ruby', '/usr/lib/ruby/vendor_ruby/mail.rb'],
    language: 'ruby',
    text: ruby('  authentication: :plain, # with a login\n  enable_starttls_auto: true,\n'),
  }),
  program({
    client: 'Email::Sender',
    settings: '',
    needs: ['perl', '/usr/share/perl5/Email/Sender.pm', '/usr/share/perl5/Authen/SASL.pm'],
    language: 'perl',
    text: `
use Email::Sender::Simple 'sendmail';
use Email::Sender::Transport::SMTP;
use Email::Simple;
my $transport = Email::Sender::Transport::SMTP->new(
  host => '127.0.0.1',
  port => {port},
  sasl_username => 'app', # with a login
  sasl_password => 'any password', # with a login
);
my $email = Email::Simple->create(
  header => [From => 'ann@sender.example', To => 'bob@receiver.example', Subject => '{subject}'],
  body => "Hello\\n",
);
sendmail($email, { transport => $transport });
`,
  }),
  program({
    client: 'Email::Sender',
    settings: "`ssl => 'maybestarttls'`",
    needs: ['perl', '/usr/share/perl5/Email/Sender.pm', '/usr/share/perl5/Authen/SASL.pm'],
    language: 'perl',
    text: `
use Email::Sender::Simple 'sendmail';
use Email::Sender::Transport::SMTP;
use Email::Simple;
my $transport = Email::Sender::Transport::SMTP->new(
  host => '127.0.0.1',
  port => {port},
  ssl => 'maybestarttls',
  sasl_username => 'app', # with a login
  sasl_password => 'any password', # with a login
);
my $email = Email::Simple->create(
  header => [From => 'ann@sender.example', To => 'bob@receiver.example', Subject => '{subject}'],
  body => "Hello\\n",
);
sendmail($email, { transport => $transport });
`,
  }),
];

function variants(text: (login: boolean) => string): Pick<ClientSetUp, 'withLogin' | 'withoutLogin'> {
  return { withLogin: text(true), withoutLogin: text(false) };
}

/** The command that runs a set-up; it is to be run in the project's folder. */
export function commandFor(
  { language, withLogin, withoutLogin }: ClientSetUp,
  given: { readonly port: number; readonly subject: string; readonly login: boolean },
): readonly [string, ...string[]] {
  const text = filled(given.login ? withLogin : withoutLogin, given);
  switch (language) {
    case 'js':
      return [process.execPath, '--input-type=module', '--eval', text];
    case 'python':
      return ['python3', '-c', text];
    case 'php':
      return ['php', '-r', text];
    case 'ruby':
      return ['ruby', '-e', text];
    case 'perl':
      return ['perl', '-e', text];
    case 'sh':
      return ['sh', '-c', text];
  }
}

/** A text with what it leaves open filled in. */
export function filled(text: string, { port, subject }: { readonly port: number; readonly subject: string }): string {
  return text.replaceAll('{port}', String(port)).replaceAll('{subject}', subject);
}
