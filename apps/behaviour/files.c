/* Files and folders. */
#include "behaviour.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH "/tmp/behaviour-file"

static void read_and_write(void)
{
	char text[16] = "";

	int fd = (int)must("open", open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0640));
	expect_long("write", write(fd, "0123456789", 10), 10);
	expect_long("lseek", lseek(fd, 2, SEEK_SET), 2);
	expect_long("read", read(fd, text, 3), 3);
	expect_text("bytes 2 to 4", text, "234");
	expect_long("pwrite", pwrite(fd, "AB", 2, 5), 2);
	expect_long("pread", pread(fd, text, 6, 4), 6);
	expect_text("bytes 4 to 9 after pwrite", text, "4AB789");
	expect_long("offset left alone by both", lseek(fd, 0, SEEK_CUR), 5);
	expect_long("fsync", fsync(fd), 0);
	expect_long("fdatasync", fdatasync(fd), 0);
	struct stat state;
	must("fstat", fstat(fd, &state));
	expect_long("size", state.st_size, 10);
	expect_long("mode", state.st_mode & 0777, 0640);
	must("ftruncate", ftruncate(fd, 4));
	expect_long("read at the new end", pread(fd, text, 4, 4), 0);
	close(fd);
	fd = (int)must("open", open(PATH, O_WRONLY | O_APPEND));
	must("write", write(fd, "xyz", 3));
	close(fd);
	must("stat", stat(PATH, &state));
	expect_long("size after appending 3 to 4", state.st_size, 7);
	unlink(PATH);
	errno = 0;
	expect_long("open after unlink", open(PATH, O_RDONLY), -1);
	expect_long("its errno", errno, ENOENT);
}

static void large_file(void)
{
	static unsigned char block[65536];
	long wrong = 0;

	int fd = (int)must("open", open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600));
	for (int i = 0; i < 32; i++) {
		memset(block, i + 1, sizeof block);
		wrong += write(fd, block, sizeof block) != sizeof block;
	}
	for (int i = 31; i >= 0; i--) {
		wrong += pread(fd, block, sizeof block, (off_t)i * (off_t)sizeof block) != sizeof block;
		wrong += block[0] != i + 1 || block[sizeof block - 1] != i + 1;
	}
	expect_long("wrong blocks in 2 MiB written and read backwards", wrong, 0);
	int copy = (int)must("open", open(PATH ".copy", O_RDWR | O_CREAT | O_TRUNC, 0600));
	off_t offset = 65536;
	expect_long("sendfile", sendfile(copy, fd, &offset, 65536), 65536);
	must("pread", pread(copy, block, 1, 100));
	expect_long("byte of the copied block", block[0], 2);
	unlink(PATH);
	unlink(PATH ".copy");
}

static void folders(void)
{
	char name[64];
	int seen = 0;

	mkdir(PATH ".d", 0755);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, PATH ".d/%d", i);
		close((int)must("open", open(name, O_CREAT | O_WRONLY, 0600)));
	}
	must("rename", rename(PATH ".d/0", PATH ".d/renamed"));
	DIR *folder = opendir(PATH ".d");
	must("opendir", folder ? 0 : -1);
	int renamed = 0;
	for (struct dirent *entry; (entry = readdir(folder));) {
		if (entry->d_name[0] == '.')
			continue;
		seen++;
		renamed += strcmp(entry->d_name, "renamed") == 0;
		snprintf(name, sizeof name, PATH ".d/%.20s", entry->d_name);
		unlink(name);
	}
	closedir(folder);
	expect_long("entries seen", seen, 20);
	expect_long("the renamed one among them", renamed, 1);
	expect_long("rmdir", rmdir(PATH ".d"), 0);
}

static void stdio(void)
{
	char text[64];
	double number = 0;
	int word = 0;

	FILE *file = fopen(PATH, "w+");
	must("fopen", file ? 0 : -1);
	fprintf(file, "%d %.3f %s\n", -17, 2.718, "word");
	rewind(file);
	expect_long("fields read back", fscanf(file, "%d %lf %63s", &word, &number, text), 3);
	expect_long("integer", word, -17);
	expect_long("thousandths", (long)(number * 1000 + 0.5), 2718);
	expect_text("word", text, "word");
	fclose(file);
	unlink(PATH);
}

const struct test file_tests[] = {
	{ "file-io", read_and_write },
	{ "file-large", large_file },
	{ "folders", folders },
	{ "stdio", stdio },
	END_OF_TESTS
};
