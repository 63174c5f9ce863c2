/** Public keys as ssh-keygen and openssl made them, with the fingerprints that they show (MD5, SHA-1). */
export const SSH_KEYS = {
  rsa: {
    key: `ssh-rsa ${['AAAAB3NzaC1yc2EAAAADAQABAAABAQCu90whA/rrmiTQ9/qOYrSvVo5lh0BMGM/XWHyprY4s60p+l0hmcj0weR8oXz', 'sEoAN3QBs1uKj1AaIeDRgiyi+2tEMndSZf4o11q4GdS0WatDa4NVD/oGhzTa2avjuVxeq7atgdLndT/HsUKLEm7m/2', 'FRjDfuiZVtQWsieDbtEZwIeylvmRqUyKAGXYBkdYEksboxXpG9Ze4lsxQjfOMBOAnMpSvjgdCYkiNiscw3U1fFCNh5', '7m3Avk0YAAV3wYsjvJuXWIs4IeLgihCAnNiL0H967AaC3v5Rw8Avht24dZmc/tfVVSY7MmKZvJHyA6NzmxMrHKyxau', 'GpPJarzes6Kf'].join('')} me@home`,
    fingerprint: '66:e7:f5:13:12:de:98:9b:ef:7f:08:eb:3b:e3:0c:39',
  },
  ecdsa256: {
    key: `ecdsa-sha2-nistp256 ${['AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBGQd87FQFyTVKGsAORj5KgiQHc7DVz9vLE6Ms0', 'Hcr4aQNfdlw5u7vJ2IUNIINWdQAcXIkbKKmiEjcqJsdVGjuZw='].join('')} me@home`,
    fingerprint: '18:d8:75:31:f5:dc:05:2a:38:d4:6c:6d:f5:74:46:1e',
  },
  ecdsa384: {
    key: `ecdsa-sha2-nistp384 ${['AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBK14aHAty2RQJu1bNrnuTd9Ne20wxRGZm6eIRF', 'rpDar9VcrbfyyBA5uBftgaSBZ/wtxQXRDhCD3FtlMpGFywmlqQ/7O8mUDeu1wdHc1PvEfz545APII5WgUCPVkL1dW9', 'yA=='].join('')} me@home`,
    fingerprint: '40:1c:23:d2:cf:9f:5e:2e:14:7d:b5:69:2f:87:11:65',
  },
  ecdsa521: {
    key: `ecdsa-sha2-nistp521 ${['AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAE/ko0XIGsP+L1zq5Kdq6VAiSIooCzjzmuGOB', 'xHwRQVQ3Sit9CmpO6F6Wt9qo/VsEcM8YcwpbDZ1yqWuzju/zk8pQHtPWGhWUqug2Wr8qSoFOq/xG4gbyJj6wk7k4uO', 'AWUTa0l3eWRYN7u/auOKRKVEBUvxR/gjbsBb5IgQ2aYm7hBPjA=='].join('')} me@home`,
    fingerprint: 'b1:43:09:3e:20:fe:12:4d:38:7a:7a:62:37:97:3b:36',
  },
  ed25519: {
    key: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHtBudAzsXDH5gzpG+AgsJOVyrec9zbfeVNS6edkMiLQ me@home',
    fingerprint: '85:d2:b7:50:04:3d:3a:94:d7:47:78:d8:fa:fd:65:3c',
  },
  dsa: {
    key: `ssh-dss ${['AAAAB3NzaC1kc3MAAACBAN4HIMdUUUEsQhs4ognPHIt3R36QT4Sentulk9z6QHTA8tMstGllbmAUoOJF6m6JCSwi+q', 'NONNkvdN8AqaDyYHhhCMPNwMIhpm27Bk1k+GJl8v8An39s4XhOFYhkOMwcikAMRUeVd7JMXsgpCMxnyNLqhfeMXlMF', 'mckOgUKTlgYfAAAAFQDZ+NKT9Mbj0Okz9Lun+ptc0jr7MQAAAIEAziJkOxJ+5oHd2fOoTdHtOeB2piWea47DrZHv6j', 'E1VG8Pn88y3XuZY0zCrVs+5+lSWMZEUEVcsj97arlXC/ECFe4ohqlqT3AkVU7fuIJEiTfTKTnVLSkDclJ0bswAIrZR', 'DEmbF7YYw0BNKo2df5sALlTnODjLyqP2sLP/6YNw2VMAAACBAIXhKOayiFMKb52HvBs6jR4dXboLiVVWPC59deqi7C', 'uOIee8rhNsiKNWID9UcqAaRO4qauZUWQahYgtAK4j52wCwnrP4EjQVY0+illse9gmzBRDDg+I6BI03nuVsxk0elnyw', 'aOCetEhbw/ayqYXcZW89xOCtYadzFvynIL6ScLsY'].join('')} me@home`,
    fingerprint: '54:0e:b0:f3:73:5a:4e:a9:fc:3b:96:8c:24:be:2c:e9',
  },
} as const;

export const CERTIFICATE = {
  key: `-----BEGIN CERTIFICATE-----
MIIB/DCCAWWgAwIBAgIUBJeFWX6KpwcS2LexvJU95NXY1NcwDQYJKoZIhvcNAQEL
BQAwEDEOMAwGA1UEAwwFYWxpY2UwHhcNMjYxMTMwMDIxNzU2WhcNMzYxMTI3MDIx
NzU2WjAQMQ4wDAYDVQQDDAVhbGljZTCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkC
gYEAomfLmmeXTvQ8sVYna1LGJ3cUQJ35Z/9ShW1GeXnNoetqZNuYEG3fGAs4kBQ/
erkDalExY2aEa7+VK7MfUiF/A53BuVDvTbQXJAYG9V/iMbGi64PWd/9+tGdpRIdD
KkVtRHHDoCJISY8Ve/LS55HYgsYZSW1BuqUPuQIvp7hKZEUCAwEAAaNTMFEwHQYD
VR0OBBYEFNX1xbKHDSPghu5TJ6VoRXNHf3wDMB8GA1UdIwQYMBaAFNX1xbKHDSPg
hu5TJ6VoRXNHf3wDMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADgYEA
Cu1Vmbn4uXRbb/lMy+sRW5tExWCA47cGCdSQDTYVop9bweIrCQntkauaYDdhMY22
pvgIsQAWZNNSgxeTeuNv18pBhUG7wjSAEoZ0e0KJT0/JwWOxysIOkZF0Gx5a0NVH
WJ2KXNMju1IGYcC3OA6cRQagIib3bRPkGvDzxBDG69w=
-----END CERTIFICATE-----
`,
  fingerprint: '8e:e7:ca:a8:0f:07:e3:ba:46:5c:ff:cd:9b:3b:b2:f7:f0:34:26:1c',
} as const;
