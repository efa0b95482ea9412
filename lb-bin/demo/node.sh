#!/bin/sh
# One node of the demonstration: a machine of its own as far as files are concerned, so that the two configuration files
# run as they are. Arguments: the program, the node's directory, its host name.
set -e
lb=$1 dir=$2 name=$3
mount --make-rprivate /
mkdir -p "$dir/etc/pki/tls/private" "$dir/var/lib/haproxy" "$dir/bin"
cp "$dir/../demo.pem" "$dir/etc/pki/tls/private/"
printf 'root:x:0:0::/root:/bin/sh\nhaproxy:x:%s:%s::/var/lib/haproxy:/bin/false\n' "${DEMO_UID:-199}" "${DEMO_UID:-199}" > "$dir/etc/passwd"
printf 'root:x:0:\nhaproxy:x:%s:\n' "${DEMO_UID:-199}" > "$dir/etc/group"
printf '127.0.0.1 localhost\n' > "$dir/etc/hosts"
# The check script of the configuration asks the service manager; here that is the pid file.
printf '#!/bin/sh\nexec kill -0 "$(cat /var/run/haproxy.pid)"\n' > "$dir/bin/systemctl"
chmod 755 "$dir/bin/systemctl"
mount --bind "$dir/etc" /etc
mount -t tmpfs tmpfs /var/lib
mkdir -p /var/lib/haproxy
mount -t tmpfs tmpfs /run
[ -L /var/run ] || mount -t tmpfs tmpfs /var/run
PATH="$dir/bin:$PATH" exec "$lb" run -f "$dir/../haproxy.cfg" -k "$dir/../keepalived.conf" -p /var/run/haproxy.pid --log-console
