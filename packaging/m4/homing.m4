# SPDX-License-Identifier: Apache-2.0
# Macros of homing's configure.ac: flags that are used if the compiler has them, and build choices.

# HOMING_FLAGS(VARIABLE, FLAGS): append each of FLAGS that the compiler accepts.
AC_DEFUN([HOMING_FLAGS], [
    homing_save=$CFLAGS
    for homing_flag in $2; do
        AC_MSG_CHECKING([whether $CC accepts $homing_flag])
        CFLAGS="$homing_save -Werror $homing_flag"
        AC_COMPILE_IFELSE([AC_LANG_SOURCE([int homing;])],
            [AC_MSG_RESULT([yes])
             $1="$$1 $homing_flag"],
            [AC_MSG_RESULT([no])])
    done
    CFLAGS=$homing_save
    AC_SUBST([$1])
])

# HOMING_LDFLAGS(VARIABLE, FLAGS): append FLAGS if they link, all or none.
AC_DEFUN([HOMING_LDFLAGS], [
    homing_save=$LDFLAGS
    homing_save_cflags=$CFLAGS
    AC_MSG_CHECKING([whether $CC links with $2])
    CFLAGS="$CFLAGS -fPIE"
    LDFLAGS="$homing_save $2"
    AC_LINK_IFELSE([AC_LANG_PROGRAM()],
        [AC_MSG_RESULT([yes])
         $1="$$1 $2"],
        [AC_MSG_RESULT([no])])
    LDFLAGS=$homing_save
    CFLAGS=$homing_save_cflags
    AC_SUBST([$1])
])

# HOMING_LIB(PREFIX, HEADER, LIBRARY, FUNCTION, PACKAGE): a required library without a .pc file.
AC_DEFUN([HOMING_LIB], [
    AC_CHECK_HEADER([$2], [], [AC_MSG_ERROR([$2 is missing: install $5])])
    AC_CHECK_LIB([$3], [$4], [$1_LIBS=-l$3], [AC_MSG_ERROR([lib$3 is missing: install $5])])
    AC_SUBST([$1_LIBS])
])

# HOMING_ENGINE(PREFIX, MODULE): the client library of an engine, for ENGINE_CFLAGS and ENGINE_LIBS.
AC_DEFUN([HOMING_ENGINE], [
    PKG_CHECK_MODULES([$1], [$2])
    ENGINE_CFLAGS="$ENGINE_CFLAGS $$1_CFLAGS"
    ENGINE_LIBS="$ENGINE_LIBS $$1_LIBS"
    AC_SUBST([ENGINE_CFLAGS])
    AC_SUBST([ENGINE_LIBS])
])

# HOMING_STUB32: whether the compiler makes 32-bit libraries, and where its machine's loaders look
# for libraries: what they put in the place of $LIB. A line at the end says if there is no stub.
AC_DEFUN([HOMING_STUB32], [
    homing_save_cflags=$CFLAGS
    homing_save_ldflags=$LDFLAGS
    CFLAGS='-m32 -fPIC'
    LDFLAGS='-nostdlib -shared'
    AC_MSG_CHECKING([whether $CC makes 32-bit libraries])
    have_m32=no
    AC_LINK_IFELSE([AC_LANG_SOURCE([int homing;])], [have_m32=yes])
    AC_MSG_RESULT([$have_m32])
    CFLAGS=$homing_save_cflags
    LDFLAGS=$homing_save_ldflags
    AM_CONDITIONAL([HAVE_M32], [test "$have_m32" = yes])
    # clang 19 does not know the option, and names a vendor.
    MULTIARCH=`$CC -print-multiarch 2>/dev/null || $CC -dumpmachine | sed 's/-[[^-]]*-linux/-linux/'`
    AC_SUBST([MULTIARCH])
])

AC_DEFUN([HOMING_WERROR], [
    AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [warnings are errors])],
        [], [enable_werror=no])
    AS_IF([test "$enable_werror" = yes], [WERROR_CFLAGS=-Werror])
    AC_SUBST([WERROR_CFLAGS])
])

# Sanitizers apply to everything but the shim, which has to load into any process.
AC_DEFUN([HOMING_SANITIZER], [
    AC_ARG_ENABLE([sanitizer],
        [AS_HELP_STRING([--enable-sanitizer=LIST], [address,undefined or thread])],
        [], [enable_sanitizer=no])
    AS_CASE([$enable_sanitizer],
        [no], [],
        [yes], [AC_MSG_ERROR([--enable-sanitizer needs a list: address,undefined or thread])],
        [SANITIZER_CFLAGS="-fsanitize=$enable_sanitizer -fno-sanitize-recover=all dnl
-fno-omit-frame-pointer"
         SANITIZER_LDFLAGS="-fsanitize=$enable_sanitizer"])
    AC_SUBST([SANITIZER_CFLAGS])
    AC_SUBST([SANITIZER_LDFLAGS])
    AM_CONDITIONAL([SANITIZED], [test "$enable_sanitizer" != no])
])

AC_DEFUN([HOMING_COVERAGE], [
    AC_ARG_ENABLE([coverage], [AS_HELP_STRING([--enable-coverage], [count lines and branches])],
        [], [enable_coverage=no])
    AS_IF([test "$enable_coverage" = yes],
        [COVERAGE_CFLAGS="--coverage -O0"
         COVERAGE_LDFLAGS=--coverage
         AC_DEFINE([COUNTS_COVERAGE], [1], [Whether lines and branches are counted.])])
    AC_SUBST([COVERAGE_CFLAGS])
    AC_SUBST([COVERAGE_LDFLAGS])
])

# With libFuzzer the targets search for new inputs; without it they replay their corpora.
AC_DEFUN([HOMING_FUZZERS], [
    AC_ARG_ENABLE([fuzzers],
        [AS_HELP_STRING([--enable-fuzzers], [link the fuzz targets with clang's libFuzzer])],
        [], [enable_fuzzers=no])
    AS_IF([test "$enable_fuzzers" = yes],
        [FUZZER_CFLAGS=-fsanitize=fuzzer-no-link
         FUZZER_LDFLAGS=-fsanitize=fuzzer
         homing_save=$CFLAGS
         CFLAGS="$CFLAGS $FUZZER_CFLAGS"
         AC_LINK_IFELSE([AC_LANG_PROGRAM()], [],
            [AC_MSG_ERROR([--enable-fuzzers needs clang and its compiler-rt: CC=clang])])
         CFLAGS=$homing_save])
    AC_SUBST([FUZZER_CFLAGS])
    AC_SUBST([FUZZER_LDFLAGS])
    AM_CONDITIONAL([WITH_LIBFUZZER], [test "$enable_fuzzers" = yes])
])
