// Programs that send by a framework which is set as `pillarbox settings` says.

/** `needs`: programs, and files of Debian packages. `command`: sends a mail with the subject `by NAME`; the settings are in a file, and as text. */
export type FrameworkProgram = {
  readonly name: string;
  readonly needs: readonly string[];
  readonly command: (settings: string, text: string) => readonly [string, ...string[]];
};

const phpMailer = '/usr/share/php/libphp-phpmailer/autoload.php';
const symfonyMailer = '/usr/share/php/Symfony/Component/Mailer/autoload.php';
const actionMailer = '/usr/share/doc/ruby-actionmailer';

export const frameworkPrograms: readonly FrameworkProgram[] = [
  {
    name: 'rails',
    needs: ['ruby', actionMailer],
    command: (settings) => [
      'ruby',
      '-e',
      `require 'action_mailer'
config = Struct.new(:action_mailer).new(ActionMailer::Base)
eval File.read(ARGV[0])
class Welcome < ActionMailer::Base
  def hello = mail(from: 'app@sender.example', to: 'bob@receiver.example', subject: 'by rails', body: 'Hello')
end
Welcome.hello.deliver_now`,
      settings,
    ],
  },
  {
    name: 'symfony',
    needs: ['php', symfonyMailer],
    command: (settings) => [
      'php',
      '-r',
      `require '${symfonyMailer}';
$dsn = trim(explode('=', file_get_contents($argv[1]), 2)[1]);
$message = (new Symfony\\Component\\Mime\\Email())->from('app@sender.example')->to('bob@receiver.example');
$mailer = new Symfony\\Component\\Mailer\\Mailer(Symfony\\Component\\Mailer\\Transport::fromDsn($dsn));
$mailer->send($message->subject('by symfony')->text('Hello'));`,
      settings,
    ],
  },
  {
    name: 'wordpress',
    needs: ['php', phpMailer],
    command: (settings) => [
      'php',
      '-r',
      // What wp_mail() does with the two hooks.
      `require '${phpMailer}';
$hooks = [];
function add_action($name, $does) { global $hooks; $hooks[$name] = $does; }
function add_filter($name, $does) { add_action($name, $does); }
require $argv[1];
$mailer = new PHPMailer\\PHPMailer\\PHPMailer(true);
$mailer->setFrom($hooks['wp_mail_from']('wordpress@localhost'));
$mailer->addAddress('bob@receiver.example');
$mailer->Subject = 'by wordpress';
$mailer->Body = 'Hello';
$hooks['phpmailer_init']($mailer);
$mailer->send();`,
      settings,
    ],
  },
  {
    name: 'nodemailer',
    needs: [],
    command: (_settings, text) => [
      process.execPath,
      '--input-type=module',
      '-e',
      `${text}
await transport.sendMail({ from: 'app@sender.example', to: 'bob@receiver.example', subject: 'by nodemailer', text: 'Hello' });`,
    ],
  },
];
