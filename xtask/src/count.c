/* Counts executed guest instructions: a plugin of QEMU, for its interface version 1 (as in 7.2).
 *
 * Debian packages the emulator without the header, so what is used of it is declared here:
 * https://www.qemu.org/docs/master/devel/tcg-plugins.html
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_info_t;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(
    struct qemu_plugin_tb *, void (*)(unsigned vcpu, void *data), enum qemu_plugin_cb_flags,
    void *data);
void qemu_plugin_register_atexit_cb(
    qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

int qemu_plugin_version = 1;

/* Of each thread: counted together, threads that run at once would lose some. */
enum { THREADS = 64 };
static struct { uint64_t executed, line[7]; } threads[THREADS];

/* Adds a block's instructions each time it is entered. */
static void entered(unsigned vcpu, void *instructions)
{
    threads[vcpu % THREADS].executed += (uint64_t) instructions;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    uint64_t instructions = qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(
        block, entered, QEMU_PLUGIN_CB_NO_REGS, (void *) instructions);
}

static void ended(qemu_plugin_id_t id, void *data)
{
    uint64_t executed = 0;
    for (unsigned vcpu = 0; vcpu < THREADS; vcpu++)
        executed += threads[vcpu].executed;
    fprintf(stderr, "\nexecuted instructions: %" PRIu64 "\n", executed);
}

int qemu_plugin_install(
    qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv)
{
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
