// What an app is told so that its mail comes here: the settings of ten frameworks, to copy. The command line, the banner and
// docs/frameworks.md take them from this table, and so can the page: nothing of it needs Node.

/** Where an app is to send its mail: a capture server, which needs no TLS and no login. */
export type MailServer = { readonly host: string; readonly port: number };

export type Framework = {
  /** What is typed: `pillarbox settings rails`. */
  readonly name: string;
  readonly title: string;
  /** The versions that these settings are of. */
  readonly versions: string;
  /** Where they belong. */
  readonly file: string;
  /** Of the code, as the info string of a Markdown fence. */
  readonly language: string;
  /** The lines to copy, without a last newline. */
  readonly settings: (server: MailServer) => string;
  /** What else has to be there, or null. */
  readonly needs: string | null;
};

/** In the order in which they are shown. */
export const frameworks: readonly Framework[] = [
  {
    name: 'rails',
    title: 'Ruby on Rails',
    versions: '7 and 8',
    file: 'config/environments/development.rb',
    language: 'ruby',
    settings: ({ host, port }) => `config.action_mailer.delivery_method = :smtp
config.action_mailer.smtp_settings = { address: "${host}", port: ${port} }
config.action_mailer.raise_delivery_errors = true`,
    needs: null,
  },
  {
    name: 'django',
    title: 'Django',
    versions: '6.1 and later; the lines for those before it are in it, too',
    file: 'settings.py',
    language: 'python',
    settings: ({ host, port }) => `MAILERS = {
    "default": {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {"host": "${host}", "port": ${port}},
    },
}
# Up to Django 6.0, instead:
# EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
# EMAIL_HOST = "${host}"
# EMAIL_PORT = ${port}`,
    needs: null,
  },
  {
    name: 'laravel',
    title: 'Laravel',
    versions: '11 and later',
    file: '.env',
    language: 'ini',
    settings: ({ host, port }) => `MAIL_MAILER=smtp
MAIL_SCHEME=null
MAIL_HOST=${host}
MAIL_PORT=${port}
MAIL_USERNAME=null
MAIL_PASSWORD=null`,
    needs: 'After `php artisan config:cache`, run that again.',
  },
  {
    name: 'symfony',
    title: 'Symfony',
    versions: '5.4 and later',
    file: '.env.local',
    language: 'ini',
    settings: ({ host, port }) => `MAILER_DSN=smtp://${inUrl(host)}:${port}`,
    needs: 'The package symfony/mailer. With Messenger, mail leaves when a worker runs.',
  },
  {
    name: 'spring',
    title: 'Spring Boot',
    versions: '3 and 4',
    file: 'src/main/resources/application.properties',
    language: 'properties',
    settings: ({ host, port }) => `spring.mail.host=${host}
spring.mail.port=${port}
spring.mail.properties[mail.smtp.auth]=false
spring.mail.properties[mail.smtp.starttls.enable]=false`,
    needs: 'The dependency spring-boot-starter-mail.',
  },
  {
    name: 'dotnet',
    title: '.NET',
    versions: '8 and later, with MailKit 4',
    file: 'where the message is sent',
    language: 'csharp',
    settings: ({ host, port }) => `using MailKit.Net.Smtp;
using MailKit.Security;

using var client = new SmtpClient();
await client.ConnectAsync("${host}", ${port}, SecureSocketOptions.None);
await client.SendAsync(message); // a MimeKit.MimeMessage
await client.DisconnectAsync(true);`,
    needs: 'The package MailKit (`dotnet add package MailKit`).',
  },
  {
    name: 'nodemailer',
    title: 'nodemailer',
    versions: '6 and later',
    file: 'where the transport is made',
    language: 'js',
    settings: ({ host, port }) => `import nodemailer from 'nodemailer';

const transport = nodemailer.createTransport({ host: '${host}', port: ${port} });`,
    needs: null,
  },
  {
    name: 'go',
    title: 'Go',
    versions: '1.20 and later, its standard library',
    file: 'where the message is sent',
    language: 'go',
    settings: ({ host, port }) => `// import "net/smtp"
message := []byte("From: app@example.org\\r\\nTo: ann@example.com\\r\\nSubject: Hello\\r\\n\\r\\nHello\\r\\n")
err := smtp.SendMail("${inUrl(host)}:${port}", nil, "app@example.org", []string{"ann@example.com"}, message)`,
    needs: null,
  },
  {
    name: 'phoenix',
    title: 'Phoenix',
    versions: '1.7 and later, with Swoosh 1',
    file: 'config/dev.exs',
    language: 'elixir',
    settings: ({ host, port }) => `config :my_app, MyApp.Mailer,
  adapter: Swoosh.Adapters.SMTP,
  relay: "${host}",
  port: ${port},
  ssl: false,
  tls: :never,
  auth: :never,
  no_mx_lookups: true`,
    needs: '`{:gen_smtp, "~> 1.2"}` in mix.exs; `my_app` and `MyApp` are the names of your app.',
  },
  {
    name: 'wordpress',
    title: 'WordPress',
    versions: '5.5 and later',
    file: 'wp-content/mu-plugins/pillarbox.php',
    language: 'php',
    settings: ({ host, port }) => `<?php
add_action('phpmailer_init', function ($mailer) {
    $mailer->isSMTP();
    $mailer->Host = '${host}';
    $mailer->Port = ${port};
    $mailer->SMTPAuth = false;
    $mailer->SMTPAutoTLS = false;
});
// On localhost WordPress writes from an address that it then refuses itself.
add_filter('wp_mail_from', fn ($from) => str_ends_with($from, '@localhost') ? 'wordpress@example.org' : $from);`,
    needs: 'PHP 8.',
  },
];

/** The framework of this name, or undefined. Upper and lower case are the same. */
export function findFramework(name: string): Framework | undefined {
  return frameworks.find((one) => one.name === name.toLowerCase());
}

/** Where to put the settings, in one line: for the heads of what is shown in a terminal. */
export function settingsHead({ title, versions, file }: Framework): string {
  return `${title} (${versions}): ${file}`;
}

/** An IPv6 address has brackets where a port follows. */
export function inUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
