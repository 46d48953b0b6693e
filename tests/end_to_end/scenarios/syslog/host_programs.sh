# Real programs of a host at work, each logging to /dev/log as it always does: accounts made, changed and removed; logins
# by ssh that succeed and fail; sudo and su. $1 is a folder with the socket `log` in it, $2 a port for sshd.
#
# To be run by root in a mount and a PID namespace of its own: accounts, home folders, logs and the socket of the machine
# are hidden behind private ones first, so nothing of the machine is changed.
set -eu
here=$1
port=$2

mount --make-rprivate /
mkdir "$here/dev" "$here/etc"
mount -t tmpfs tmpfs "$here/dev"
for node in null zero full random urandom tty log; do
    touch "$here/dev/$node"
    [ "$node" = log ] || mount --bind "/dev/$node" "$here/dev/$node"
done
mount --bind "$here/log" "$here/dev/log"
mkdir "$here/dev/pts"
mount --rbind /dev/pts "$here/dev/pts"
ln -s pts/ptmx "$here/dev/ptmx"
mount --rbind "$here/dev" /dev
cp -a /etc/. "$here/etc"
mount --bind "$here/etc" /etc
for folder in /home /root /run /var/log /var/mail; do
    mkdir -p "$folder"
    mount -t tmpfs -o mode=0755 tmpfs "$folder"
done
mkdir /run/sshd
touch /run/utmp /var/log/wtmp /var/log/lastlog
rm -f /etc/nologin
# A refusal need not take two seconds.
sed -i 's/pam_unix.so/pam_unix.so nodelay/' /etc/pam.d/common-auth
sed -i '/pam_faildelay/d' /etc/pam.d/*

# Accounts, with one mistake.
useradd --create-home --shell /bin/sh weir-alice
groupadd weir-staff
usermod --append --groups weir-staff weir-alice
echo weir-alice:right-password | chpasswd
groupmod --new-name weir-crew weir-staff
passwd --lock weir-alice
passwd --unlock weir-alice
chage --maxdays 90 weir-alice
chsh --shell /bin/bash weir-alice
! useradd weir-alice

# Logins.
ssh-keygen -q -t ed25519 -N '' -f "$here/host_key"
ssh-keygen -q -t ed25519 -N '' -f "$here/user_key"
mkdir /home/weir-alice/.ssh
cp "$here/user_key.pub" /home/weir-alice/.ssh/authorized_keys
chown -R weir-alice: /home/weir-alice
chmod -R go= /home/weir-alice/.ssh
cat >"$here/sshd_config" <<END
Port $port
ListenAddress 127.0.0.1
HostKey $here/host_key
PidFile none
UsePAM yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
LogLevel VERBOSE
END
/usr/sbin/sshd -D -f "$here/sshd_config" &
sshd=$!
printf '#!/bin/sh\necho "$PASSWORD"\n' >"$here/askpass"
chmod 755 "$here/askpass"
export SSH_ASKPASS="$here/askpass" SSH_ASKPASS_REQUIRE=force
login() {
    ssh -F none -p "$port" -o LogLevel=ERROR -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o NumberOfPasswordPrompts=1 "$@" </dev/null
}
by_key() { login -i "$here/user_key" -o BatchMode=yes "$@"; }
by_password() { login -o PubkeyAuthentication=no "$@"; }
tries=0
until by_key weir-alice@127.0.0.1 true; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ]
    sleep 0.1
done
by_key -tt weir-alice@127.0.0.1 true
! by_key -s weir-alice@127.0.0.1 no-such-subsystem
! login -o BatchMode=yes -o PasswordAuthentication=no weir-alice@127.0.0.1 true
PASSWORD=right-password by_password weir-alice@127.0.0.1 true
! PASSWORD=wrong by_password weir-alice@127.0.0.1 true
! PASSWORD=any by_password weir-mallory@127.0.0.1 true
! PASSWORD=any by_password root@127.0.0.1 true
# A scanner that speaks another protocol, and one that only looks whether the port is open.
bash -c "exec 3<>/dev/tcp/127.0.0.1/$port; printf 'GET / HTTP/1.0\r\n\r\n' >&3; cat <&3" >"$here/scan" 2>&1 || true
bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"

# Other people's rights.
echo 'weir-alice ALL=(ALL) NOPASSWD: /usr/bin/true' >/etc/sudoers.d/weir-alice
as_alice() { su weir-alice -c "$1"; }
as_alice 'sudo -n true'
! as_alice 'sudo -n ls /root'
! as_alice 'echo wrong | sudo -S ls /root'
echo 'weir-alice ALL=(ALL) ALL' >/etc/sudoers.d/weir-alice
as_alice 'echo right-password | sudo -S -- echo "a b" "c;d"'
! as_alice 'echo wrong | su root -c true'

kill "$sshd"
wait "$sshd" || true
userdel --remove weir-alice
groupdel weir-crew
